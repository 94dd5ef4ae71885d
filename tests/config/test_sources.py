from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from platform_cli.config.project import Entrypoint
from platform_cli.config.sources import Repository, is_source, opened, parse_repository, without_password
from platform_cli.errors import SourceError
from platform_cli.home import Home

SERVER = 'from fastmcp import FastMCP\nmcp = FastMCP("x")\n'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


@pytest.mark.parametrize("text", ["pypi:x", "npm:@a/b", "https://h/r", "git+ssh://h/r", "git@h:o/r", "file:///r"])
def test_sources(text: str) -> None:
    assert is_source(text)


@pytest.mark.parametrize("text", [".", "server.py", "server.py:mcp", "src/x", "C:x", "/a/b@c"])
def test_paths_are_none(text: str) -> None:
    assert not is_source(text)


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("https://h/o/r", Repository("https://h/o/r", "HEAD", "")),
        ("git+https://u:p@h/o/r.git@v1#subdirectory=a/b", Repository("https://u:p@h/o/r.git", "v1", "a/b")),
        ("git@h:o/r@feature/x", Repository("git@h:o/r", "feature/x", "")),
        ("git@h:o/r", Repository("git@h:o/r", "HEAD", "")),
        ("ssh://git@h/o/r", Repository("ssh://git@h/o/r", "HEAD", "")),
        ("https://github.com/o/r/tree/main/src/x", Repository("https://github.com/o/r", "main", "src/x")),
        ("https://gitlab.com/o/r/-/tree/v1", Repository("https://gitlab.com/o/r", "v1", "")),
    ],
)
def test_the_parts_of_a_url(text: str, repository: Repository) -> None:
    assert parse_repository(text) == repository


def test_a_password_is_not_remembered() -> None:
    assert without_password("https://u:sk-hidden@h/r@v1") == "https://h/r@v1"
    assert without_password("git@h:o/r") == "git@h:o/r"
    with pytest.raises(SourceError) as caught:
        parse_repository("https://u:sk-hidden@h/r@--upload-pack=x")
    assert "sk-hidden" not in caught.value.message


def test_a_package_of_pypi(home: Home) -> None:
    with opened("pypi:mcp-server-time[a]==1.2", ["--utc"], home) as project:
        assert (project.script, project.dependencies) == ("mcp-server-time", ("mcp-server-time[a]==1.2",))
        assert (project.args, project.place) == (("--utc",), "pypi:mcp-server-time[a]==1.2")
        assert list(project.folder.iterdir()) == []


def test_a_program_of_a_package(home: Home) -> None:
    with opened("pypi:many-servers==1.2:second-server", [], home) as project:
        assert (project.script, project.dependencies) == ("second-server", ("many-servers==1.2",))


def test_a_package_of_npm(home: Home) -> None:
    with opened("npm:@a/server@1.2", ["/data"], home) as project:
        assert project.command == ("npx", "@a/server", "/data")
        assert (
            project.folder / "package.json"
        ).read_text() == '{"private": true, "dependencies": {"@a/server": "1.2"}}'


@pytest.mark.parametrize(
    "text", ["pypi:", "pypi:a b", "pypi:x @ https://sk-hidden@h", "npm:", "npm:../x", "npm:A", "npm:x@", "npm:file:x"]
)
def test_what_is_no_package_is_refused(home: Home, text: str) -> None:
    with pytest.raises(SourceError, match="is not a package of"), opened(text, [], home):
        pass


@pytest.fixture
def repository(tmp_path: Path) -> str:
    folder = tmp_path / "repository"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/server.py").write_text(SERVER)
    (folder / "sub/requirements.txt").touch()
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v1"], ["rm", "-rq", "."]):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    (folder / "server.py").write_text(SERVER)
    for command in (["add", "."], ["commit", "-qm", "two"]):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder.as_uri()


def test_a_repository_is_read_as_a_folder_is(home: Home, repository: str) -> None:
    with opened(repository, ["-x"], home) as project:
        assert (project.entrypoint, project.args) == (Entrypoint("server.py"), ("-x",))
        assert project.place == repository
        folder = project.folder
    assert not folder.exists()
    with opened(f"{repository}@v1#subdirectory=sub", [], home) as project:
        assert (project.entrypoint, project.typed) == (Entrypoint("server.py"), ".")


@pytest.mark.parametrize(
    ("rest", "message"),
    [("@none", "cannot be cloned: .*none"), ("x", "cannot be cloned"), ("#subdirectory=../..", "is no folder of")],
)
def test_a_repository_that_cannot_be_read_leaves_nothing(home: Home, repository: str, rest: str, message: str) -> None:
    with pytest.raises(SourceError, match=message), opened(repository + rest, [], home):
        pass
    assert list((home.root / "clones").iterdir()) == []
