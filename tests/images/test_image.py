"""Tests `homeport image` with a real registry: its bytes are the same wherever it is made, only changes are sent."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platform_cli.config.image_reference import parse_reference
from platform_cli.images.model import digest_of
from platform_cli.images.push import push_image
from platform_cli.images.registry import Repository
from tests.api.surface import check_json
from tests.command_line import Command
from tests.images.bases import tiny_base
from tests.images.registries import Registry, registry
from tests.support import ROOT, SERVERS, SMALLEST, CommandFailedError, Platform

SECRET = "a value that no image may have"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
CONFIG = """
[project]
name = "expenses"
version = "1.2"
[deployment.container]
base = "{base}"
architecture = "x86_64"
[environment]
API_KEY = "${{secrets.API_KEY}}"
GREETING = "hello"
"""


@dataclass(frozen=True, slots=True)
class Made:
    """Is an image that was made and pushed."""

    project: Path
    homeport: Platform
    registry: Registry
    base: str
    answer: dict[str, Any]

    def image(self, *arguments: str) -> dict[str, Any]:
        return self.homeport.run("image", str(self.project), *arguments)

    @property
    def reference(self) -> str:
        return f"{self.registry.address}/you/expenses:1"


def project_in(folder: Path, base: str) -> Path:
    copy = folder / "project"
    shutil.copytree(SERVERS / SMALLEST, copy)
    (copy / "fastmcp.toml").write_text(CONFIG.format(base=base))
    (copy / ".env").write_text(f"API_KEY={SECRET}\n")
    return copy


def homeport_in(folder: Path) -> Platform:
    homeport = Platform(folder / "home")
    homeport.environment.update(API_KEY=SECRET, DOCKER_CONFIG=str(folder))
    return homeport


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("made")
    with registry(tmp_path_factory.mktemp("registry")) as running:
        base = f"{running.address}/base/python:1"
        image, blobs = tiny_base(folder, environment=["PATH=/usr/bin", f"PYTHON_VERSION={PYTHON}.1"])
        push_image(image, parse_reference(base), blobs)
        project, homeport = project_in(folder, base), homeport_in(folder)
        reference = f"{running.address}/you/expenses:1"
        yield Made(project, homeport, running, base, homeport.run("image", str(project), "--push", reference))


def test_what_was_pushed(made: Made) -> None:
    check_json("image", made.answer)
    assert made.answer["project"] == "expenses"
    assert made.answer["reference"] == f"{made.registry.address}/you/expenses@{made.answer['digest']}"
    with Repository(parse_reference(made.reference)) as repository:
        manifest = repository.manifest("1")
        data = json.loads(manifest)
        config = json.loads(b"".join(repository.pull(data["config"]["digest"])))
    assert digest_of(manifest) == made.answer["digest"]
    assert len(data["layers"]) == 5
    labels = config["config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "expenses"
    assert labels["org.opencontainers.image.version"] == "1.2"
    assert labels["org.opencontainers.image.base.name"] == made.base
    assert labels["kept"] == "yes"


def test_no_secret_and_no_path_of_this_machine_is_in_it(made: Made) -> None:
    with Repository(parse_reference(made.reference)) as repository:
        manifest = repository.manifest("1")
        data = json.loads(manifest)
        own = [layer["digest"] for layer in data["layers"][1:]]
        layers = [gzip.decompress(b"".join(repository.pull(digest))) for digest in own]
        config = b"".join(repository.pull(data["config"]["digest"]))
    for content in (manifest, config, *layers):
        for word in (SECRET, str(made.project.parent), sys.prefix):
            assert word.encode() not in content
    assert b"${secrets.API_KEY}" in layers[-1]


def test_it_is_the_same_in_another_folder_with_another_umask(made: Made, tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        other = project_in(tmp_path, made.base)
        for file in other.iterdir():
            os.utime(file, (1, 1))
        again = homeport_in(tmp_path).run("image", str(other))
    finally:
        os.umask(umask)
    assert again["digest"] == made.answer["digest"]


def test_a_change_of_the_code_sends_the_code(made: Made) -> None:
    assert made.image("--push", made.reference)["digest"] == made.answer["digest"]
    server = made.project / "server.py"
    before = server.read_text()
    server.write_text(f"{before}\n# changed\n")
    seen = len(made.registry.requests())
    try:
        changed = made.image("--push", made.reference)
    finally:
        server.write_text(before)
    assert changed["digest"] != made.answer["digest"]
    sent = [path for method, path, _ in made.registry.requests()[seen:] if method == "PUT"]
    assert len([path for path in sent if "/uploads/" in path]) == 2, "the app's layer and the configuration"


def test_a_layout_for_engines(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "layout"
    assert made.image("--output", str(folder))["path"] == str(folder)
    saved = json.loads((folder / "manifest.json").read_bytes())[0]
    assert saved["RepoTags"] == ["docker.io/library/expenses:latest"]
    for path in (saved["Config"], *saved["Layers"]):
        assert digest_of((folder / path).read_bytes()) == f"sha256:{Path(path).name}"
    index = json.loads((folder / "index.json").read_bytes())
    assert index["manifests"][0]["digest"] == made.answer["digest"]
    (folder / "blobs/sha256/of-an-older-image").touch()
    said = Command(["image", str(made.project), "--output", str(folder)], cwd=ROOT, env=made.homeport.environment)
    given = "--env API_KEY=... --env HOMEPORT_TOKEN=..."
    last = said.wait(made.homeport.timeout_s).stdout.splitlines()[-1]
    assert last == f"next:  docker run --publish 127.0.0.1:8000:8000 {given} expenses"
    assert not (folder / "blobs/sha256/of-an-older-image").exists()


def test_a_platform_that_runs_loads_the_server(made: Made, tmp_path: Path) -> None:
    project = project_in(tmp_path, made.base)
    config = project / "fastmcp.toml"
    config.write_text(config.read_text().partition("[environment]")[0])
    by_itself = made.homeport.run("image", str(project))
    shutil.rmtree(made.homeport.home / "bundles")
    made.homeport.run("platform", "start")
    try:
        by_platform = made.homeport.run("image", str(project))
    finally:
        made.homeport.stop()
    assert by_platform["digest"] == by_itself["digest"]
    assert {stage["name"]: stage["cached"] for stage in by_platform["stages"]}["inspect"] is False


def failure(made: Made, *arguments: str) -> dict[str, Any]:
    with pytest.raises(CommandFailedError) as failed:
        made.image(*arguments)
    assert failed.value.error["hint"]
    return {**failed.value.error, "code": failed.value.code}


def test_bad_input(made: Made, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert "has other things in it" in failure(made, "--output", str(tmp_path))["message"]
    assert "must be an image" in failure(made, "--push", "Expenses")["message"]
    assert "names a digest" in failure(made, "--push", f"expenses@{made.answer['digest']}")["message"]
    nobody = failure(made, "--push", "127.0.0.1:1/expenses:1")
    assert (nobody["category"], nobody["code"]) == ("registry", 1)
    assert "refuses connections" in nobody["message"]


def test_a_secret_that_is_not_there(made: Made) -> None:
    del made.homeport.environment["API_KEY"]
    try:
        error = failure(made)
    finally:
        made.homeport.environment["API_KEY"] = SECRET
    assert error["category"] == "config"
    assert "API_KEY needs the secret API_KEY" in error["message"]
