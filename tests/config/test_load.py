from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from platform_cli.config.load import load_project
from platform_cli.config.project import Entrypoint, Project
from platform_cli.errors import ConfigError, InputError, SourceError

SERVER = 'from fastmcp import FastMCP\nmcp = FastMCP("x")\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder that is the current one."""
    path = tmp_path / "project"
    path.mkdir()
    monkeypatch.chdir(path)
    return path.resolve()


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("typed", "entrypoint"),
    [
        ("server.py", Entrypoint("server.py")),
        ("server.py:make", Entrypoint("server.py", "make")),
        (".", Entrypoint("server.py")),
        ("../project", Entrypoint("server.py")),
    ],
)
def test_without_a_configuration(folder: Path, typed: str, entrypoint: Entrypoint) -> None:
    write(folder, {"server.py": SERVER})
    assert load_project(typed) == Project(folder=folder, entrypoint=entrypoint)
    assert load_project(Path(typed)).entrypoint == entrypoint


def test_the_project_folder_is_the_servers_own(folder: Path) -> None:
    write(
        folder, {"fastmcp.toml": "[deployment]\nentrypoint = 'src/server.py'\nsessions = true", "src/server.py": SERVER}
    )
    assert load_project(".").entrypoint == Entrypoint("src/server.py")
    assert load_project("src/server.py") == Project(folder=folder / "src", entrypoint=Entrypoint("server.py"))


def test_the_toml_wins_over_the_json(folder: Path) -> None:
    write(folder, {"server.py": SERVER, "a.py": SERVER, "fastmcp.json": json.dumps({"source": {"path": "a.py"}})})
    assert load_project(".").entrypoint == Entrypoint("a.py")
    write(folder, {"fastmcp.toml": "[deployment]\nentrypoint = 'server.py'"})
    assert load_project(".").entrypoint == Entrypoint("server.py")


def test_what_was_typed_wins_over_the_configuration(folder: Path) -> None:
    write(
        folder,
        {"a.py": SERVER, "b.py": SERVER, "fastmcp.toml": "[deployment]\nentrypoint = 'a.py:one'\nsessions = true"},
    )
    assert load_project("b.py").entrypoint == Entrypoint("b.py")
    assert load_project("b.py").sessions
    assert load_project("a.py").entrypoint == Entrypoint("a.py", "one")
    assert load_project("a.py:two").entrypoint == Entrypoint("a.py", "two")


def test_a_command_needs_no_python_file(folder: Path) -> None:
    write(folder, {"fastmcp.toml": "[deployment]\ncommand = 'node index.js'"})
    project = load_project(".")
    assert (project.entrypoint, project.command) == (None, ("node", "index.js"))
    write(folder, {"a.py": SERVER})
    project = load_project("a.py")
    assert (project.entrypoint, project.command) == (Entrypoint("a.py"), None)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"server.py": SERVER, "helper.py": SERVER}, "server.py"),
        ({"app.py": "app = 1", "helper.py": SERVER}, "app.py"),
        ({"main.py": "x = 1", "app.py": SERVER}, "app.py"),
        ({"tool.py": SERVER, "helper.py": "x = 1", "test_tool.py": SERVER, "conftest.py": SERVER}, "tool.py"),
    ],
)
def test_the_server_of_a_folder_is_found(folder: Path, files: dict[str, str], found: str) -> None:
    write(folder, files)
    assert load_project(".").entrypoint == Entrypoint(found)


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({}, "no server found, and no Python file", "homeport deploy server.py"),
        ({"x.py": "y = 1"}, "no server found among x.py", "homeport deploy server.py"),
        ({"a.py": SERVER, "b.py": SERVER}, "several files could be the server: a.py, b.py", "homeport deploy b.py"),
        (
            {"app.py": SERVER, "server.py": SERVER, "b.py": SERVER},
            "be the server: server.py, app.py",
            "homeport deploy app.py",
        ),
        ({"a b mcp.py": SERVER, "b.py": SERVER}, "several files", "homeport deploy 'a b mcp.py'"),
    ],
)
def test_a_folder_that_leaves_a_doubt_is_refused(folder: Path, files: dict[str, str], message: str, hint: str) -> None:
    write(folder, files)
    with pytest.raises(SourceError, match=message) as caught:
        load_project(".")
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("none.py", "none.py does not exist"),
        ("none.py:mcp", "none.py does not exist"),
        ("none", "none does not exist"),
        ("notes.txt", "notes.txt is not a Python file"),
        ("notes.txt:mcp", "notes.txt is not a Python file"),
        ("folder.py:mcp", "folder.py is not a Python file"),
        ("good.py:", "'' is not the name of an object"),
        ("good.py:a b", "'a b' is not the name of an object"),
        ("empty.py", "empty.py is empty"),
        ("broken.py", "broken.py:1:5: invalid syntax"),
        ("./sub/../sub/broken.py", "sub/broken.py:1:5: invalid syntax"),
        ("running.py", "running.py:3: the server is run"),
        ("leaving.py", "leaving.py is outside the project folder"),
        ("pipe.py", "pipe.py is not a Python file"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_a_bad_path_is_refused(folder: Path, typed: str, message: str) -> None:
    write(folder, {"good.py": SERVER, "notes.txt": "mcp", "empty.py": "\n", "broken.py": "x = = 1"})
    write(
        folder,
        {"running.py": SERVER + "mcp.run()", "folder.py/x": "", "sub/broken.py": "x = = 1", "../outside.py": SERVER},
    )
    (folder / "leaving.py").symlink_to(folder.parent / "outside.py")
    os.mkfifo(folder / "pipe.py")
    with pytest.raises(SourceError) as caught:
        load_project(typed)
    assert message in caught.value.message
    assert caught.value.exit_code == 2
    assert caught.value.hint


@pytest.mark.parametrize(
    ("entrypoint", "message"),
    [
        ("../outside.py", "is outside the project folder"),
        ("/outside.py", "is an absolute path"),
        ("leaving.py", "is outside the project folder"),
        ("none.py:mcp", "does not exist"),
        ("src", "is not a file"),
        ("notes.txt", "is not a Python file"),
    ],
)
@pytest.mark.parametrize("config", ["fastmcp.toml", "fastmcp.json"])
def test_a_bad_entry_point_is_refused(folder: Path, config: str, entrypoint: str, message: str) -> None:
    text = f"[deployment]\nentrypoint = '{entrypoint}'"
    text = text if config == "fastmcp.toml" else json.dumps({"source": {"path": entrypoint}})
    write(folder, {"notes.txt": "mcp", "src/x": "", "../outside.py": SERVER, "server.py": SERVER, config: text})
    (folder / "leaving.py").symlink_to(folder.parent / "outside.py")
    with pytest.raises(SourceError) as caught:
        load_project(".")
    assert caught.value.message == f"{config}: entry point {entrypoint.removesuffix(':mcp')} {message}" or (
        message == "is an absolute path" and message in caught.value.message
    )
    assert load_project("server.py").entrypoint == Entrypoint("server.py")


@pytest.mark.parametrize(
    ("version", "checked"), [(None, True), ("3.99", False), (">=3.99", False), (">=3.10", True), ("running", True)]
)
def test_the_syntax_is_checked_only_for_the_python_that_runs_us(
    folder: Path, version: str | None, checked: bool
) -> None:
    import sys

    version = ".".join(map(str, sys.version_info[:2])) if version == "running" else version
    write(folder, {"server.py": "x = = 1  # mcp"})
    write(folder, {"fastmcp.toml": f"[deployment]\npython_version = '{version}'" if version else ""})
    if checked:
        with pytest.raises(SourceError, match="invalid syntax"):
            load_project(".")
    else:
        assert load_project(".").python_version == version


def test_a_configuration_that_is_no_file_is_refused(folder: Path) -> None:
    write(folder, {"server.py": SERVER})
    (folder / "fastmcp.toml").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"fastmcp\.toml: is not a file"):
        load_project("server.py")


def test_a_refused_project_is_left_as_it_was(folder: Path) -> None:
    write(folder, {"server.py": "x = = 1", "fastmcp.toml": "[auth]"})
    with pytest.raises(InputError):
        load_project(".")
    assert sorted(path.name for path in folder.rglob("*")) == ["fastmcp.toml", "server.py"]
