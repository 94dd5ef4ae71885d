"""What the runtime reads of a bundle's manifest."""

from __future__ import annotations

import pytest

from homeport_runtime.manifest import KEYS, Manifest

WHOLE = {
    "format": 1,
    "entrypoint": None,
    "command": None,
    "sessions": False,
    "start_timeout_s": 30,
    "memory_mb": 512,
    "lock": "of others",
}


def read(**changes: object) -> Manifest:
    whole = {**WHOLE, **changes}
    return Manifest.read({key: whole[key] for key in KEYS})


def test_a_python_server() -> None:
    manifest = read(entrypoint={"file": "server.py", "object": "mcp"}, sessions=True)
    assert manifest == Manifest("server.py", "mcp", None, True, 30, 512)


def test_a_program() -> None:
    assert read(command=["npx", "-y", "x"]) == Manifest(None, None, ("npx", "-y", "x"), False, 30, 512)


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="has format 2, this runtime reads 1"):
        read(format=2)
