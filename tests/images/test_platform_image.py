"""Tests `homeport platform image`: what is in it, that it is the same each time, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

import pytest

from platform_cli.config.image_reference import parse_reference
from platform_cli.images.push import push_image
from tests.api.surface import check_json
from tests.images.bases import tiny_base
from tests.images.registries import registry
from tests.support import CommandFailedError, Platform

PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"

pytestmark = pytest.mark.whole


def opened(layer: Path) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.read_bytes())))


def test_what_is_in_it(tmp_path: Path) -> None:
    homeport, folder = Platform(tmp_path / "home"), tmp_path / "layout"
    with registry(tmp_path) as running:
        base = f"{running.address}/python:1"
        image, blobs = tiny_base(tmp_path)
        push_image(image, parse_reference(base), blobs)
        made = homeport.run("platform", "image", "--base", base, "--architecture", "x86_64", "--output", str(folder))
        assert homeport.run("platform", "image", "--base", base, "--architecture", "x86_64")["digest"] == made["digest"]
    check_json("platform image", made)
    saved = json.loads((folder / "manifest.json").read_bytes())[0]
    assert saved["RepoTags"] == ["docker.io/library/homeport:latest"]
    config = json.loads((folder / saved["Config"]).read_bytes())["config"]
    assert config["Entrypoint"] == ["/usr/local/bin/homeport"]
    assert config["Cmd"] == ["platform", "start", "--foreground"]
    layers = [opened(folder / name) for name in saved["Layers"]]
    _base, packages, own = layers
    site = f"opt/homeport/lib/{PYTHON}/site-packages"
    assert f"{site}/docker/__init__.py" in packages.getnames()
    assert f"{site}/bin/uv" in packages.getnames()
    assert f"{site}/www_authenticate.py" in packages.getnames()
    assert f"{site}/platform_cli/infra/caddy/Caddyfile" in own.getnames()
    assert f"{site}/platform_cli/py.typed" in own.getnames(), "what is no code belongs to it, too"
    assert own.getmember("opt/homeport/bin/python").linkname == f"/usr/local/bin/{PYTHON}"
    assert own.getmember("usr/local/bin/homeport").mode == 0o755
    state = own.getmember("var/lib/homeport")
    assert (state.uid, state.gid, state.mode) == (65532, 0, 0o2775)
    for layer in layers:
        assert not [member.name for member in layer if (member.mode or 0) & 0o6000 and member.isfile()]


def test_a_base_that_is_no_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match="--base"):
        Platform(tmp_path / "home").run("platform", "image", "--base", "Not An Image")
