from __future__ import annotations

from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import tomli

from platform_cli.config.init import render_init
from platform_cli.config.load import load_project
from platform_cli.config.project import Entrypoint, Project
from platform_cli.config.schema import ENVIRONMENT, SCOPES, TABLES

EXAMPLE = Path(__file__).parents[2] / "fastmcp.toml.example"
SERVER = 'from fastmcp import FastMCP\nmcp = FastMCP("x")\n'


@pytest.mark.parametrize("entrypoint", [Entrypoint("server.py"), Entrypoint('src/it\'s "my" 🧮.py', "make")])
@pytest.mark.parametrize("requirements", [None, "requirements.txt"])
def test_what_init_writes_can_be_loaded(tmp_path: Path, entrypoint: Entrypoint, requirements: str | None) -> None:
    (tmp_path / entrypoint.file).parent.mkdir(exist_ok=True)
    (tmp_path / entrypoint.file).write_text(SERVER)
    (tmp_path / "requirements.txt").touch()
    path = tmp_path / "fastmcp.toml"
    path.write_text(render_init(tmp_path, str(entrypoint), "my-server", requirements))
    assert load_project(tmp_path) == Project(
        folder=tmp_path.resolve(),
        entrypoint=entrypoint,
        name="my-server",
        requirements=requirements,
        config_file=tmp_path.resolve() / "fastmcp.toml",
    )


def test_each_key_that_init_shows_is_valid_when_uncommented(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "uv.lock").touch()
    assert '# requirements = "requirements.txt"' in render_init(tmp_path / "other", "server.py", "x", None)
    text = render_init(tmp_path, "server.py", "x", None)
    assert '# requirements = "uv.lock"' in text
    # Those that exclude others.
    alone = ("# command = ", "# users = ", "# login = ", "# client_id = ")
    lines = [
        line.removeprefix("# ") if " = " in line and not line.startswith(alone) else line for line in text.splitlines()
    ]
    lines = [line.replace('mode = "token"', 'mode = "oauth"') for line in lines]
    (tmp_path / "fastmcp.toml").write_text("\n".join(lines))
    assert load_project(tmp_path).domains == ("mcp.example.com",)
    written: Any = tomli.loads("\n".join(lines))
    missing = {
        (table, key)
        for table in TABLES
        for key in TABLES[table]
        if key not in reduce(getitem, table.split("."), written)
    }
    assert missing == {("deployment", "command"), *(("auth", key) for key in ("users", "login", "client_id"))}


def test_the_example_can_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "fastmcp.toml").write_text(EXAMPLE.read_text())
    assert load_project(tmp_path).name == "expense-tracker"


def test_the_example_has_every_key_with_its_meaning() -> None:
    text = EXAMPLE.read_text()
    assert f"# {ENVIRONMENT}\n" in text
    for table, keys in TABLES.items():
        section = text.split(f"\n[{table}]\n")[1].split("\n[")[0]
        for name, key in keys.items():
            assert f"# {key.meaning}\n" in section, name
            assert f"\n{name} = " in section or f"\n# {name} = " in section, name
    assert f"# {SCOPES}\n" in text


def test_the_examples_defaults_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "fastmcp.toml").write_text(EXAMPLE.read_text())
    loaded, plain = load_project(tmp_path), Project(tmp_path, None)
    for name in ("on_lambda", "sessions", "start_timeout_s", "auto_scaling", "cold_start_optimization", "scaling"):
        assert getattr(loaded, name) == getattr(plain, name), name
