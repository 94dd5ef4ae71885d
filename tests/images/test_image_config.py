from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from platform_cli.config.image_reference import Reference
from platform_cli.images.build import server_process
from platform_cli.images.image_config import image_config, image_manifest
from platform_cli.images.model import Base, Blob, Image, ImageLayer, digest_of
from platform_cli.pipeline.model import Interpreter

PYTHON = Interpreter(Path("/usr/bin/python3.12"), "3.12.4", "")
MANIFEST = {"environment": {"GREETING": "hello", "KEY": "${secrets.KEY}", "PATH": "/server/bin"}}
PROCESS = server_process(MANIFEST, "x", PYTHON, 60)
BOTTOM = ImageLayer(Blob("sha256:b", 1, "type"), "sha256:bb")
OWN = ImageLayer(Blob("sha256:o", 2, "type"), "sha256:oo", "app")
BASE = Base(
    Reference("docker.io", "library/python", "3.12-slim", "sha256:1"),
    (BOTTOM,),
    {
        "architecture": "arm64",
        "variant": "v8",
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/bin", "HOME=/root", "GPG_KEY=1"],
            "Labels": {"org.opencontainers.image.title": "python", "team": "x"},
            "Cmd": ["python3"],
            "Volumes": {"/data": {}},
        },
        "history": [{"created_by": "debian"}, {"created_by": "CMD", "empty_layer": True}],
    },
)


def test_an_image_runs_the_server_and_keeps_what_the_base_says_of_its_programs() -> None:
    labels = {"org.opencontainers.image.title": "x"}
    data = json.loads(image_config(BASE, [OWN], server_process(MANIFEST, "expenses", PYTHON, 90), labels))
    settings = data["config"]
    assert (data["architecture"], data["variant"], data["os"]) == ("arm64", "v8", "linux")
    assert settings["Entrypoint"][0] == "python3.12"
    assert settings["Healthcheck"]["Test"] == ["CMD", *settings["Entrypoint"], "health"]
    assert settings["Healthcheck"]["StartPeriod"] == 90_000_000_000
    assert settings["Env"] == [
        "PATH=/usr/local/bin", "GPG_KEY=1", "GREETING=hello", "HOME=/var/lib/homeport/home", "PORT=8000",
        "HOMEPORT_PROJECT=expenses",
    ]  # fmt: skip
    assert settings["Labels"] == {"org.opencontainers.image.title": "x", "team": "x"}
    assert (settings["User"], settings["WorkingDir"]) == ("65532:0", "/var/lib/homeport")
    assert "Cmd" not in settings, "it would be taken for arguments"
    assert data["rootfs"]["diff_ids"] == ["sha256:bb", "sha256:oo"]
    assert [entry["created_by"] for entry in data["history"]] == ["debian", "CMD", "homeport: app"]


def test_each_layer_has_an_entry_in_the_history() -> None:
    base = replace(BASE, config={**BASE.config, "history": [{"created_by": "one of"}, {"created_by": "too many"}]})
    assert len(json.loads(image_config(base, [OWN], PROCESS, {}))["history"]) == 2


def test_the_manifest_names_the_configuration() -> None:
    config = image_config(BASE, [OWN], PROCESS, {})
    image = Image(BASE, (OWN,), config, image_manifest(config, (BOTTOM, OWN), {"a": "b"}))
    data = json.loads(image.manifest)
    assert data["config"]["digest"] == image.config_blob.digest == digest_of(config)
    assert [layer["digest"] for layer in data["layers"]] == ["sha256:b", "sha256:o"]
