"""Searches everything that an engine and a registry keep for a project's secrets: there is nothing of them."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.probing import wait_for
from tests.support import require

from .conftest import Containers
from .engines import client

pytestmark = pytest.mark.whole

SECRET = "sesame-that-nobody-keeps"
SOURCE = """
import os
from mcp.server import MCPServer

mcp = MCPServer("secretive")

@mcp.tool()
def knows() -> bool:
    return len(os.environ["KEY"]) > 10
"""
CONFIG = """
[auth]
mode = "token"
[environment]
KEY = "${secrets.API_KEY}"
"""


def test_no_secret_is_anywhere_in_engine_and_registry(containers: Containers, tmp_path: Path) -> None:
    require(os.getuid() == 0, "an engine's own files take root to read")
    began = int(time.time()) - 1
    project = containers.project(tmp_path / "project", SOURCE, CONFIG)
    (tmp_path / "secrets.env").write_text(f"API_KEY={SECRET}\n")
    given = ("--name", "secretive", "--env-file", str(tmp_path / "secrets.env"))
    deployed = containers.platform.run("deploy", str(project), *given)
    registry = containers.base.partition("/")[0]
    containers.platform.environment["API_KEY"] = SECRET
    try:
        containers.platform.run("image", str(project), "--push", f"{registry}/you/secretive:1")
    finally:
        del containers.platform.environment["API_KEY"]
    words = [SECRET.encode(), deployed["token"].encode()]
    with client(containers.address) as engine:
        [container] = wait_for(lambda: found if len(found := engine.containers()) == 1 else None)
        assert "true" in json.dumps(containers.platform.run("call", "secretive", "knows"))
        told = [repr(each).encode() for each in _told(engine, container, began)]
        kept = [*engine.get_image(container["Image"]), *engine.export(container["Id"])]
        processes = [int(process[0]) for process in engine.top(container["Id"], "-o pid")["Processes"]]
        seen = [Path(f"/proc/{pid}/{file}").read_bytes() for pid in processes for file in ("environ", "cmdline")]
    assert len(told) > 4
    assert len(processes) == 2
    assert len(seen) == 4
    for content in (*told, b"".join(kept), *seen, *_files(containers)):
        for word in words:
            assert word not in content
    containers.platform.run("destroy", "secretive", "--yes")


def _told(engine: Any, container: dict[str, Any], began: int) -> Iterator[object]:
    """Yields what the engine tells whoever asks it."""
    yield engine.inspect_container(container["Id"])
    yield engine.inspect_image(container["Image"])
    yield engine.history(container["Image"])
    yield engine.logs(container["Id"])
    yield from engine.events(since=began, until=int(time.time()) + 1, decode=True)


def _files(containers: Containers) -> Iterator[bytes]:
    """Yields all files that the engine and the registry have, their logs too, and what is in layers."""
    engine = Path(containers.address.removeprefix("unix://")).parent
    registry = containers.platform.home.parent
    for folder in (engine / "data", registry / "data"):
        for parent, _folders, names in os.walk(folder):
            for path in (Path(parent, name) for name in names):
                if path.is_file() and not path.is_symlink():
                    yield _unpacked(path.read_bytes())
    for log in (engine / "dockerd.log", registry / "log"):
        yield log.read_bytes()


def _unpacked(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") and content[3] == 0 else content
