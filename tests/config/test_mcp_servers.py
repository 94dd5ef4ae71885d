from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from platform_cli.config.mcp_servers import ServerEntry, entry_project, read_entries
from platform_cli.config.project import Entrypoint, Program, Project
from platform_cli.errors import HomeportError, InputError, SourceError
from platform_cli.home import Home

SERVER = 'from fastmcp import FastMCP\nmcp = FastMCP("x")\n'
CLOCK = '[project]\nname = "clock"\n[project.scripts]\nclock = "clock.cli:main"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Makes a folder with a project in it."""
    for name, text in {
        "pyproject.toml": CLOCK,
        "clock/cli.py": SERVER,
        "dist/index.js": "",
        "package.json": "{}",
    }.items():
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text(text)
    (tmp_path / "project/.venv/bin").mkdir(parents=True)
    (tmp_path / "project/.venv/pyvenv.cfg").touch()
    return tmp_path.resolve()


def project(folder: Path, *command: str, **environment: str) -> Project:
    home = Home(folder / "home")
    home.root.mkdir(exist_ok=True)
    made, values = entry_project(ServerEntry("My Server", command, environment, folder), home)
    assert values == environment
    assert made.name == "my-server"
    return made


def entries(folder: Path, data: object, name: str = ".mcp.json") -> list[ServerEntry]:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    return read_entries(file)


@pytest.mark.parametrize("table", [["mcpServers"], ["servers"], ["mcp", "servers"]])
def test_the_servers_of_a_client(tmp_path: Path, table: list[str]) -> None:
    data: Any = {
        "a": {"command": "x", "args": ["y"], "env": {"K": "v", "N": 1}},
        "b": {"type": "http", "url": "https://h"},
    }
    for key in reversed(table):
        data = {key: data}
    assert entries(tmp_path, data) == [
        ServerEntry("a", ("x", "y"), {"K": "v", "N": "1"}, tmp_path),
        ServerEntry("b", (), {}, tmp_path),
    ]


def test_comments_and_last_commas_are_passed_over(tmp_path: Path) -> None:
    text = '{\n // one\n "servers": { /* two, */ "a": {"command": "http://x,}", "args": ["//y",],},\n },\n}'
    assert entries(tmp_path, text, ".vscode/mcp.json") == [ServerEntry("a", ("http://x,}", "//y"), {}, tmp_path)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "mcp.json:1:2"),
        ([], "must hold one object"),
        ({}, "has no servers"),
        ({"mcpServers": {"a": 1}}, "has no servers"),
        ({"mcpServers": {"a": {"args": []}}}, 'a: needs "command"'),
        ({"mcpServers": {"a": {"command": "x", "args": [1]}}}, 'a: needs "command"'),
        ({"mcpServers": {"a": {"command": "x", "env": ["x"]}}}, '"env" must be an object'),
        ({"mcpServers": {"a": {"command": "x", "env": {"HOMEPORT_X": "sk-hidden"}}}}, "HOMEPORT_X is reserved"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, data: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        entries(tmp_path, data)
    assert message in caught.value.message
    assert "sk-hidden" not in caught.value.message


def test_a_package_of_pypi(folder: Path) -> None:
    made = project(folder, "uvx", "mcp-server-time@1.0", "--utc", API_KEY="sk-hidden")
    assert (made.script, made.dependencies, made.args) == ("mcp-server-time", ("mcp-server-time==1.0",), ("--utc",))
    assert made.source == "pypi:mcp-server-time==1.0"
    made = project(folder, "uvx", "--from", "a[b]", "--with", "c", "d")
    assert (made.script, made.dependencies) == ("d", ("a[b]", "c"))


def test_a_package_of_npm(folder: Path) -> None:
    made = project(folder, "npx", "-y", "@a/b@1", "/data")
    assert (made.command, made.source) == (("npx", "@a/b", "/data"), "npm:@a/b@1")


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (("uv", "--directory", "{}/project", "run", "clock"), Program("clock.cli", "main", "clock")),
        (("uv", "run", "--project", "project", "python", "-m", "clock.cli"), Program("clock.cli")),
        (("{}/project/.venv/bin/python", "-m", "clock.cli"), Program("clock.cli")),
        (("{}/project/.venv/bin/clock",), Program("clock.cli", "main", "clock")),
        (("python", "{}/project/clock/cli.py"), Entrypoint("clock/cli.py")),
        (("uv", "run", "--with", "mcp", "mcp", "run", "project/clock/cli.py:mcp"), Entrypoint("clock/cli.py", "mcp")),
        (("node", "{}/project/dist/index.js", "-v"), ("node", "dist/index.js", "-v")),
        (("project/dist/index.js",), ("dist/index.js",)),
    ],
)
def test_a_project_of_this_machine(folder: Path, command: tuple[str, ...], runs: object) -> None:
    made = project(folder, *(word.format(folder) for word in command))
    assert [made.entrypoint or made.program or made.command] == [runs]
    if made.command:
        assert made.folder / made.command[-1 if len(made.command) == 1 else 1] == folder / "project/dist/index.js"
    assert made.folder in (folder / "project", folder / "project/dist")


def test_any_other_program_has_no_files(folder: Path) -> None:
    made = project(folder, "docker", "run", "-i", "image")
    assert made.command == ("docker", "run", "-i", "image")
    assert list(made.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("python", "-m", "gone"), "the module gone is not in"),
        (("uv", "--directory", "/gone", "run", "x"), "/gone does not exist"),
        (("python", "gone.py"), "gone.py does not exist"),
        (("npx", "-y", "Not A Package"), "is not a package of npm"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, command: tuple[str, ...], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        project(folder, *command)


def test_references_are_replaced_as_the_client_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "sk-hidden")
    given = {"A": "${TOKEN}", "B": "x ${env:TOKEN}", "C": "${UNSET:-none}"}
    made, values = entry_project(ServerEntry("a", ("./x", "${workspaceFolder}/data"), given, folder), Home(folder))
    assert values == {"A": "sk-hidden", "B": "x sk-hidden", "C": "none"}
    assert made.command == ("./x", f"{folder}/data")


@pytest.mark.parametrize(
    ("value", "message"),
    [("sk-hidden ${UNSET}", "A needs the variable UNSET"), ("sk-hidden ${input:key}", "A asks for the input 'key'")],
)
def test_a_value_that_only_the_client_knows_is_refused(folder: Path, value: str, message: str) -> None:
    with pytest.raises(HomeportError) as caught:
        entry_project(ServerEntry("a", ("x",), {"A": value}, folder), Home(folder))
    assert message in caught.value.message
    assert "sk-hidden" not in f"{caught.value.message} {caught.value.hint}"
