from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from platform_cli.config.load import load_project
from platform_cli.config.project import Entrypoint, Program, Project
from platform_cli.errors import ConfigError, InputError, SourceError

SERVER = 'from fastmcp import FastMCP\nmcp = FastMCP("x")\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns an empty project folder that is the current one."""
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


def test_the_configuration_above_the_server_is_its_own(folder: Path) -> None:
    write(
        folder, {"fastmcp.toml": "[deployment]\nentrypoint = 'src/server.py'\nsessions = true", "src/server.py": SERVER}
    )
    assert load_project(".").entrypoint == Entrypoint("src/server.py")
    assert load_project("src/server.py") == load_project("src") == load_project(".")
    assert load_project("src").sessions


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


def test_a_file_of_node_is_run_with_its_arguments(folder: Path) -> None:
    write(folder, {"package.json": "{}", "src/index.mjs": "", "a.py": SERVER})
    project = load_project("src/index.mjs", ["--root", "/data"])
    assert (project.entrypoint, project.command) == (None, ("node", "src/index.mjs", "--root", "/data"))
    assert project.folder == folder.resolve()


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ({"main": "index.js"}, ("node", "index.js", "/data")),
        ({"scripts": {"start": "tsx index.ts"}}, ("npm", "run", "--silent", "start", "--", "/data")),
    ],
)
def test_a_program_of_node_gets_its_arguments(folder: Path, package: dict[str, str], command: tuple[str, ...]) -> None:
    write(folder, {"package.json": json.dumps({"name": "notes-mcp", **package}), "index.js": ""})
    assert load_project(".", ["/data"]).command == command


def test_the_server_in_a_workspace_of_node_is_found(folder: Path) -> None:
    sdk = {"@modelcontextprotocol/sdk": "1"}
    other = {"main": "index.js", "dependencies": sdk}
    files = {
        "package.json": {"name": "notes-mcp", "workspaces": ["packages/*"]},
        "packages/server/package.json": {"main": "index.js", "dependencies": {**sdk, "own-lib": "*"}},
        "packages/lib/package.json": {"name": "own-lib", "main": "index.js", "keywords": ["mcp"]},
    }
    write(folder, {name: json.dumps(package) for name, package in files.items()})
    write(folder, {"packages/server/index.js": "", "packages/lib/index.js": ""})
    project = load_project(".", ["/data"])
    assert (project.member, project.command) == ("packages/server", ("node", "packages/server/index.js", "/data"))
    write(folder, {"packages/server/fastmcp.toml": "[deployment]\ncommand = 'node index.js --x'"})
    assert load_project("packages/server").command == ("node", "packages/server/index.js", "--x")
    write(folder, {"packages/other/package.json": json.dumps(other), "packages/other/index.js": ""})
    with pytest.raises(SourceError, match="several packages could be the server: packages/other, packages/server") as e:
        load_project(".")
    assert "homeport deploy packages/server" in (e.value.hint or "")


def test_typescript_is_refused_with_the_folder_that_is_built(folder: Path) -> None:
    write(folder, {"package.json": "{}", "src/index.ts": ""})
    with pytest.raises(SourceError, match=r"src/index\.ts is TypeScript") as caught:
        load_project("src/index.ts")
    assert "homeport deploy ." in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"server.py": SERVER, "helper.py": SERVER}, "server.py"),
        ({"app.py": "app = 1", "helper.py": SERVER}, "helper.py"),
        ({"a b mcp.py": SERVER, "b.py": SERVER}, "a b mcp.py"),
        ({"server.py": SERVER, "main.py": "from server import mcp\n\nmcp.run()"}, "main.py"),
        ({"main.py": "from pkg.server import main\nmain()", "pkg/server.py": SERVER, "pkg/__init__.py": ""}, "main.py"),
        ({"main.py": "print(1)", "src/pkg/my_server.py": SERVER, "src/pkg/__init__.py": ""}, "src/pkg/my_server.py"),
        (
            {"__init__.py": "# mcp", "notes_mcp_server.py": SERVER, "setup_mcp.py": "print('mcp')"},
            "notes_mcp_server.py",
        ),
        ({"client.py": "from mcp import ClientSession\nrun()", "server/run.py": SERVER}, "server/run.py"),
        ({"server.py": "from mcp.server import Server\n1 / 0", "app.py": "x = 1"}, "server.py"),
        ({"tests/server.py": SERVER, "examples/server.py": SERVER, "x/server.py": SERVER}, "x/server.py"),
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
            "be the server: app.py, server.py",
            "homeport deploy app.py",
        ),
        ({"a b.py": SERVER, "b.py": SERVER}, "several files", "homeport deploy 'a b.py'"),
        ({"a/server.py": SERVER, "b/server.py": SERVER}, "several files", "homeport deploy b/server.py"),
        (
            {"a/src/x.py": SERVER, "a/pyproject.toml": "", "b/src/x.py": SERVER, "b/pyproject.toml": ""},
            "several files could be the server: a, b",
            "homeport deploy b",
        ),
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
        ("folder.py:mcp", "has neither a console script nor a module 'mcp'"),
        ("good.py:", "'' is not the name of an object"),
        ("good.py:a b", "'a b' is not the name of an object"),
        ("empty.py", "empty.py is empty"),
        ("broken.py", "broken.py:1:5: invalid syntax"),
        ("./sub/../sub/broken.py", "sub/broken.py:1:5: invalid syntax"),
        ("leaving.py", "leaving.py is outside the project folder"),
        ("pipe.py", "pipe.py is not a Python file"),
        ("x" * 5000, "File name too long"),
        ("", "the path is empty"),
    ],
)
def test_a_bad_path_is_refused(folder: Path, typed: str, message: str) -> None:
    write(folder, {"good.py": SERVER, "notes.txt": "mcp", "empty.py": "\n", "broken.py": "x = = 1"})
    write(
        folder,
        {"folder.py/x": "", "sub/broken.py": "x = = 1", "../outside.py": SERVER},
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


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": '[project]\nrequires-python = ">=3.99"\n'},
        {"pyproject.toml": "[project]\nrequires-python = '>=3.10,<3.11'"},
        {".python-version": "3.99\n"},
        {"server.py": '# /// script\n# requires-python = ">=3.99"\n# ///\nx = = 1  # mcp'},
    ],
)
def test_the_syntax_of_another_python_is_left_to_it(folder: Path, files: dict[str, str]) -> None:
    write(folder, {"server.py": "x = = 1  # mcp", **files})
    assert load_project(".").entrypoint == Entrypoint("server.py")


def test_arguments_are_kept(folder: Path) -> None:
    write(folder, {"server.py": SERVER, "fastmcp.toml": "[deployment]\nargs = ['--root', 'data']"})
    assert load_project(".").args == ("--root", "data")
    assert load_project("server.py", ["-x"]).args == ("-x",)


CLOCK = {
    "pyproject.toml": '[project]\nname = "tiny-clock"\n[project.scripts]\ntiny-clock = "tiny_clock:main"\n',
    "src/tiny_clock/__init__.py": "from .server import serve\n\ndef main():\n    serve()\n",
    "src/tiny_clock/server.py": SERVER,
}


def test_the_console_script_of_a_project_is_what_runs(folder: Path) -> None:
    write(folder, CLOCK)
    project = load_project(".")
    assert project.program == Program("tiny_clock", "main", "tiny-clock")
    assert project.chosen == "runs tiny-clock ([project.scripts] of pyproject.toml)"
    assert load_project(".:tiny-clock") == project
    assert load_project("src/tiny_clock/server.py").folder == folder


def test_several_console_scripts_are_refused_with_a_command_for_each(folder: Path) -> None:
    text = '[project]\nname = "x"\n[project.scripts]\none = "tiny_clock:main"\ntwo = "tiny_clock.server:main"\n'
    write(folder, {**CLOCK, "pyproject.toml": text})
    with pytest.raises(SourceError, match="several console scripts could be the server: one, two") as caught:
        load_project(".")
    assert "homeport deploy .:two" in (caught.value.hint or "")
    assert load_project(".:two").program == Program("tiny_clock.server", "main", "two")
    with pytest.raises(SourceError, match="neither a console script nor a module 'three'"):
        load_project(".:three")


def test_a_script_that_reaches_no_sdk_is_no_server(folder: Path) -> None:
    text = '[project]\nname = "x"\n[project.scripts]\nx = "pkg.cli:main"\n'
    write(folder, {"pyproject.toml": text, "pkg/cli.py": "import sys", "server.py": SERVER})
    assert load_project(".").entrypoint == Entrypoint("server.py")


def test_the_script_called_as_a_project_of_mcp_is_its_server_with_any_sdk(folder: Path) -> None:
    text = '[project]\nname = "x-mcp"\n[project.scripts]\nx-mcp = "pkg.own:main"\nx-mcp-test = "pkg.server:main"\n'
    write(folder, {"pyproject.toml": text, "pkg/own.py": "import sys", "pkg/server.py": SERVER})
    assert load_project(".").program == Program("pkg.own", "main", "x-mcp")


def test_a_package_with_a_main_module_runs_as_python_m_does(folder: Path) -> None:
    write(folder, {"clock/__init__.py": "", "clock/server.py": SERVER, "clock/__main__.py": "from .server import mcp"})
    assert load_project(".").program == Program("clock")


@pytest.mark.parametrize(
    "call", ["uvicorn.run('clock.app:create', factory=True)", "uvicorn.Config(app='clock.app:create')"]
)
def test_an_app_that_is_served_by_its_name_is_reached(folder: Path, call: str) -> None:
    main = f"import uvicorn\n\nif __name__ == '__main__':\n    {call}\n"
    app = "from fastmcp import FastMCP\n\ndef create():\n    return FastMCP('x').http_app()\n"
    write(folder, {"src/clock/__init__.py": "", "src/clock/app.py": app, "src/clock/__main__.py": main})
    assert load_project(".").program == Program("clock")


@pytest.mark.parametrize(
    ("entrypoint", "program"),
    [
        ("tiny-clock", Program("tiny_clock", "main", "tiny-clock")),
        ("tiny_clock.server", Program("tiny_clock.server")),
        ("tiny_clock:main", Program("tiny_clock", "main")),
        ("tiny_clock.server:mcp", Entrypoint("src/tiny_clock/server.py", "mcp")),
        ("mcp-server-time", "mcp-server-time"),
    ],
)
def test_a_configured_entry_point_may_be_a_name(folder: Path, entrypoint: str, program: object) -> None:
    write(folder, {**CLOCK, "fastmcp.toml": f'[deployment]\nentrypoint = "{entrypoint}"'})
    project = load_project(".")
    assert [project.entrypoint or project.program or project.script] == [program]


def test_a_command_of_python_runs_in_process(folder: Path) -> None:
    write(folder, {**CLOCK, "fastmcp.toml": '[deployment]\ncommand = "uv run --with httpx tiny-clock --utc"'})
    project = load_project(".")
    assert (project.program, project.args) == (Program("tiny_clock", "main", "tiny-clock"), ("--utc",))
    assert (project.command, project.dependencies) == (None, ("httpx",))


def test_a_member_of_a_workspace_is_the_project_and_the_workspace_its_root(folder: Path) -> None:
    write(
        folder,
        {
            "pyproject.toml": "[tool.uv.workspace]\nmembers = ['packages/*']",
            "packages/server/pyproject.toml": '[project]\nname = "mono"\n[project.scripts]\nmono = "server:main"\n',
            "packages/server/server.py": SERVER,
        },
    )
    project = load_project("packages/server")
    assert (project.folder, project.member) == (folder, "packages/server")
    assert project.program == Program("server", "main", "mono")
    assert project.place == str(folder / "packages/server")
    assert load_project("packages/server/server.py").entrypoint == Entrypoint("packages/server/server.py")
    write(folder, {"packages/server/fastmcp.toml": "[deployment]\nentrypoint = 'server.py'\ninclude = ['data']"})
    project = load_project("packages/server")
    assert (project.entrypoint, project.include) == (Entrypoint("packages/server/server.py"), ("packages/server/data",))


def test_the_folder_that_was_typed_comes_before_the_one_above_it(folder: Path) -> None:
    write(folder, {"requirements.txt": "", "server.py": SERVER, "two/server.py": SERVER, "docs/x.md": ""})
    assert load_project("two").entrypoint == Entrypoint("two/server.py")
    assert load_project("docs").entrypoint == Entrypoint("server.py")
    write(folder, {"fastmcp.toml": "[deployment]\nentrypoint = 'server.py'"})
    assert load_project("two").entrypoint == Entrypoint("two/server.py")
    assert load_project("docs").entrypoint == Entrypoint("server.py")


@pytest.mark.parametrize("typed", ["svc/server.py", "svc", ".", "svc/server.py:mcp"])
def test_what_was_typed_is_read_the_same_elsewhere(folder: Path, typed: str) -> None:
    """A platform elsewhere has the files, and not what was above them."""
    write(folder, {"requirements.txt": "", "svc/server.py": SERVER})
    project = load_project(typed)
    assert load_project(folder / project.typed, top=folder) == project
    (folder / "requirements.txt").unlink()
    assert load_project(folder / project.typed, top=folder) == project


def test_a_command_of_another_file_is_offered(folder: Path) -> None:
    write(folder, {"Dockerfile": 'FROM x\nENTRYPOINT ["./serve"]\nCMD ["--port", "1"]\n'})
    with pytest.raises(SourceError, match="no server found") as caught:
        load_project(".")
    assert 'command = "./serve --port 1"' in (caught.value.hint or "")


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
