"""What the runtime reads of a bundle's manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homeport_runtime.manifest import Manifest, read_manifest

WHOLE = {
    "format": 1,
    "entrypoint": None,
    "command": None,
    "sessions": False,
    "start_timeout_s": 30,
    "memory_mb": 512,
    "lock": "of others",
}


def read(folder: Path, **changes: object) -> Manifest:
    (folder / "manifest.json").write_text(json.dumps({**WHOLE, **changes}))
    return read_manifest(folder)


def test_a_python_server(tmp_path: Path) -> None:
    manifest = read(tmp_path, entrypoint={"file": "server.py", "object": "mcp"}, sessions=True)
    assert manifest == Manifest("server.py", "mcp", None, True, 30, 512)


def test_a_program(tmp_path: Path) -> None:
    assert read(tmp_path, command=["npx", "-y", "x"]) == Manifest(None, None, ("npx", "-y", "x"), False, 30, 512)


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has format 2, this runtime reads 1"):
        read(tmp_path, format=2)
