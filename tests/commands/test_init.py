from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.load import load_project
from platform_cli.config.project import Program
from tests.commands.conftest import Run, error_of

SERVER = 'from fastmcp import FastMCP\n\nmcp = FastMCP("My Expenses")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "some folder"
    made.mkdir()
    (made / "server.py").write_text(SERVER)
    return made


def test_init_writes_what_deploy_would_find(run: Run, folder: Path) -> None:
    answer = run("init", "--json", cwd=folder).json
    assert answer == {
        "ok": True,
        "path": str(folder / "fastmcp.toml"),
        "name": "my-expenses",
        "entrypoint": "server.py",
        "requirements": {"origin": "the imports of server.py", "inferred": ["fastmcp"]},
    }
    assert "# Requirements: fastmcp (from the imports of server.py)\n" in (folder / "fastmcp.toml").read_text()
    project = load_project(folder)
    assert (project.name, str(project.entrypoint)) == ("my-expenses", "server.py")


def test_the_last_line_is_the_next_command(run: Run, folder: Path) -> None:
    done = run("init", "some folder", cwd=folder.parent)
    assert done.stdout.splitlines()[-1] == "next: homeport deploy 'some folder'"
    (folder / "fastmcp.toml").unlink()
    assert run("init", cwd=folder).stdout.splitlines()[-1] == "next: homeport deploy"


def test_an_object_can_be_named(run: Run, folder: Path) -> None:
    assert run("init", f"{folder}/server.py:mcp", "--json").json["entrypoint"] == "server.py:mcp"


@pytest.mark.parametrize("name", ["fastmcp.toml", "fastmcp.json"])
def test_nothing_is_overwritten(run: Run, folder: Path, name: str) -> None:
    (folder / name).write_text("mine, and no valid configuration")
    for path in (".", "server.py", "server.py:mcp"):
        code, category, message, _hint = error_of(run("init", path, "--json", cwd=folder))
        assert (code, category) == (2, "input"), path
        assert "is there already" in message
    assert (folder / name).read_text() == "mine, and no valid configuration"
    assert len(list(folder.iterdir())) == 2


def test_there_has_to_be_a_server(run: Run, tmp_path: Path) -> None:
    assert error_of(run("init", str(tmp_path), "--json"))[:2] == (2, "source")
    assert error_of(run("init", str(tmp_path / "none"), "--json"))[:2] == (2, "source")
    (tmp_path / "server.py").write_text("def broken(:\n")
    assert error_of(run("init", str(tmp_path), "--json"))[:2] == (2, "source")
    assert [file.name for file in tmp_path.iterdir()] == ["server.py"]


def test_a_console_script_is_written_by_its_name(run: Run, folder: Path) -> None:
    text = '[project]\nname = "x"\ndependencies = []\n[project.scripts]\nx = "server:run"\n'
    (folder / "pyproject.toml").write_text(text)
    assert run("init", "--json", cwd=folder).json["entrypoint"] == "x"
    assert load_project(folder).program == Program("server", "run", "x")


def test_the_file_is_written_at_the_root(run: Run, folder: Path) -> None:
    (folder / "src").mkdir()
    (folder / "server.py").rename(folder / "src/server.py")
    (folder / "requirements.txt").touch()
    answer = run("init", "src/server.py", "--json", cwd=folder).json
    assert (answer["path"], answer["entrypoint"]) == (str(folder / "fastmcp.toml"), "src/server.py")
    assert error_of(run("init", "--json", cwd=folder / "src"))[:2] == (2, "input")
