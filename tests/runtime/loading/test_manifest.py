"""Tests what the runtime reads of a bundle's manifest."""

from __future__ import annotations

import pytest

from homeport_runtime.loading.manifest import KEYS, Manifest, Program

WHOLE = {
    "format": 1,
    "entrypoint": None,
    "command": None,
    "sessions": False,
    "start_timeout_s": 30,
    "memory_mb": 512,
    "origins": ["app://desk"],
    "lock": "of others",
}


def read(**changes: object) -> Manifest:
    whole = {**WHOLE, **changes}
    return Manifest.read({key: whole[key] for key in KEYS if key in whole})


def test_a_python_server() -> None:
    manifest = read(entrypoint={"file": "server.py", "object": "mcp"}, sessions=True)
    program, origins = Program("server.py", "", None, "server.py", ()), ("app://desk",)
    assert manifest == Manifest(program, "mcp", (), None, False, origins, True, 30, 512)


def test_a_console_script() -> None:
    script = {"module": "pkg.cli", "function": "main", "name": "pkg-server"}
    manifest = read(program=script, args=["--root", "x"], roots=["src"])
    program = Program(None, "pkg.cli", "main", "pkg-server", ("--root", "x"))
    assert (manifest.program, manifest.roots) == (program, ("src",))


def test_a_module_is_called_as_it_is_typed() -> None:
    program = read(program={"module": "pkg", "function": None, "name": ""}).program
    assert program is not None
    assert program.name == "python -m pkg"


def test_a_program_that_was_found_to_speak_over_stdio_alone_is_bridged() -> None:
    assert read(server={"kind": "stdio", "object": None}).bridged
    assert not read(server={"kind": "fastmcp", "object": "mcp"}).bridged


def test_a_command() -> None:
    command = ("npx", "-y", "x")
    assert read(command=list(command)) == Manifest(None, None, (), command, False, ("app://desk",), False, 30, 512)


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="has format 2, this runtime reads 1"):
        read(format=2)
