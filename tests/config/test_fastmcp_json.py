from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from platform_cli.config.fastmcp_json import read_fastmcp_json
from platform_cli.config.project import Entrypoint, Project
from platform_cli.errors import ConfigError

SOURCE = {"path": "server.py"}


def read(folder: Path, data: object) -> Project:
    path = folder / "fastmcp.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return read_fastmcp_json(path)


def test_a_full_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").touch()
    monkeypatch.setenv("REGION", "eu ${OTHER}")
    data = {
        "$schema": "https://gofastmcp.com/public/schemas/fastmcp.json/v1.json",
        "source": {"type": "filesystem", "path": "src/server.py", "entrypoint": "mcp", "later": 1},
        "environment": {
            "type": "uv",
            "python": ">=3.11",
            "dependencies": ["httpx>=0.28"],
            "requirements": "requirements.txt",
            "editable": [],
        },
        "deployment": {
            "transport": "http",
            "host": "0.0.0.0",
            "port": 8000,
            "path": "/x",
            "log_level": "INFO",
            "cwd": "/x",
            "args": ["--x"],
            "env": {"URL": "https://${REGION}/${secrets.KEY}", "PLAIN": "$HOME"},
        },
        "platform": {"its": "own block"},
    }
    assert read(tmp_path, data) == Project(
        folder=tmp_path,
        config_file=tmp_path / "fastmcp.json",
        entrypoint=Entrypoint("src/server.py", "mcp"),
        python_version=">=3.11",
        requirements="requirements.txt",
        dependencies=("httpx>=0.28", "fastmcp"),
        args=("--x",),
        environment={"URL": "https://eu ${OTHER}/${secrets.KEY}", "PLAIN": "$HOME"},
    )


@pytest.mark.parametrize(
    ("environment", "dependencies"),
    [
        ({"dependencies": ["fastmcp>=3"]}, ("fastmcp>=3",)),
        ({"dependencies": ["fastmcp-extras"]}, ("fastmcp-extras", "fastmcp")),
        ({"requirements": "requirements.txt"}, ("fastmcp",)),
        ({"project": "."}, ()),
        ({"python": "3.12"}, ()),
    ],
)
def test_fastmcp_is_there_in_the_environment_that_it_makes(
    environment: dict[str, object], dependencies: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    data = {"source": {"path": "server.py"}, "environment": environment}
    assert read(tmp_path, data).dependencies == dependencies


def test_a_file_of_another_tool_says_what_it_can(tmp_path: Path) -> None:
    data = {
        "name": "notes",
        "entrypoint": "server.py:mcp",
        "dependencies": ["httpx"],
        "env": {"A": "1"},
        "description": "written for another tool",
    }
    assert read(tmp_path, data) == Project(
        folder=tmp_path,
        config_file=tmp_path / "fastmcp.json",
        entrypoint=Entrypoint("server.py", "mcp"),
        name="notes",
        dependencies=("httpx",),
        environment={"A": "1"},
    )
    assert read(tmp_path, {"entrypoint": {"x": 1}, "name": "My Notes"}).entrypoint is None


def test_only_the_source_is_required(tmp_path: Path) -> None:
    assert read(tmp_path, {"source": {"path": "server.py:app"}}).entrypoint == Entrypoint("server.py", "app")


@pytest.mark.parametrize(
    ("files", "found"), [(["pyproject.toml"], "pyproject.toml"), (["pyproject.toml", "uv.lock"], "uv.lock")]
)
@pytest.mark.parametrize("inner", [".", "sub"])
def test_a_uv_project_means_its_lock_or_its_pyproject(tmp_path: Path, files: list[str], found: str, inner: str) -> None:
    (tmp_path / inner).mkdir(exist_ok=True)
    for file in files:
        (tmp_path / inner / file).touch()
    project = read(tmp_path, {"source": SOURCE, "environment": {"project": inner}})
    assert project.requirements == str(Path(inner) / found)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('{\n "source": }', ":2:12: Expecting value"),
        ("", ":1:1: Expecting value"),
        ('{"a": ' + "1" * 5000 + "}", ": holds a value too large to read"),
        ([], ": must hold one object"),
        ({"source": {}}, ': "source.path" is missing'),
        ({"source": "server.py"}, ': "source" must be an object'),
        ({"source": {"path": 1}}, ': "source.path" must be a server file'),
        ({"source": {"path": "x.py", "type": "git"}}, ': "source.type" must be "filesystem"'),
        ({"source": {"path": "x.py", "entrypoint": "a b"}}, ': "source.entrypoint" must be a name'),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, data: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, data)
    assert caught.value.message.startswith(f"fastmcp.json{message}")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ([1], '"environment" must be an object'),
        ({"python": 3.11}, '"environment.python" must be in quotes'),
        ({"python": "new"}, '"environment.python" must be a version'),
        ({"requirements": "none.txt"}, '"environment.requirements" does not exist'),
        ({"requirements": "../x.txt"}, '"environment.requirements" is outside the project folder'),
        ({"requirements": 1}, '"environment.requirements" must name a requirements.txt'),
        ({"project": 1}, '"environment.project" must be a folder'),
        ({"project": ".."}, '"environment.project" is outside the project folder'),
        ({"project": "."}, '"environment.project" does not exist'),
        (
            {"project": ".", "requirements": "x.txt"},
            'give "environment.project" or "environment.requirements", not both',
        ),
        ({"dependencies": "httpx"}, '"environment.dependencies" must be a list of packages'),
        ({"dependencies": ["ok", "https://sk-hidden@x/"]}, '"environment.dependencies[1]" is not a requirement'),
        ({"editable": ["../x"]}, '"environment.editable" is not in this version of homeport yet'),
    ],
)
def test_a_bad_environment_is_refused(tmp_path: Path, environment: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, {"source": SOURCE, "environment": environment})
    assert caught.value.message.startswith(f"fastmcp.json: {message}")
    assert "sk-hidden" not in caught.value.message


def test_a_key_that_nobody_has_set_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSET", raising=False)
    monkeypatch.setenv("EMPTY", "")
    env = {"OPENAI_API_KEY": "${UNSET}", "MODEL": "small", "REGION": "${EMPTY}"}
    found = read(tmp_path, {"source": SOURCE, "deployment": {"env": env}})
    assert found.environment == {"MODEL": "small", "REGION": ""}


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (["A"], '"deployment.env" must be an object'),
        ({"A": 1337}, '"deployment.env.A" must be text in quotes'),
        ({"A": "sk-hidden ${UNSET}"}, '"deployment.env.A" needs the variable UNSET, which is not set'),
        ({"A": "sk-hidden ${secrets.x"}, '"deployment.env.A" has a malformed reference'),
        ({"A": "${BAD}"}, '"deployment.env.A" has a malformed reference'),
        ({"HOMEPORT_A": "sk-hidden"}, '"deployment.env.HOMEPORT_A" is reserved'),
    ],
)
def test_bad_variables_are_refused_without_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: object, message: str
) -> None:
    monkeypatch.delenv("UNSET", raising=False)
    monkeypatch.setenv("BAD", "sk-hidden ${secrets.")
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, {"source": SOURCE, "deployment": {"env": env}})
    assert caught.value.message.startswith(f"fastmcp.json: {message}")
    assert "sk-hidden" not in f"{caught.value.message} {caught.value.hint}"
    assert "1337" not in caught.value.message
