"""Tests that the server is found by name, alone, or through a factory; what is wrong is said with the person's own
frames.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from homeport_runtime.errors import ServerError
from homeport_runtime.loading.importing import AppImports
from homeport_runtime.loading.loader import explaining, find_server

APP = "class App:\n    async def __call__(self, scope, receive, send): ...\n"


@pytest.fixture(autouse=True)
def untouched_imports() -> Iterator[None]:
    modules, path, hooks = set(sys.modules), list(sys.path), list(sys.path_hooks)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:], sys.path_hooks[:] = path, hooks
    sys.path_importer_cache.clear()


def load(folder: Path, source: str, **others: str) -> ModuleType:
    for name, text in {"tested_server": source, **others}.items():
        (folder / f"{name}.py").write_text(text)
    with explaining("tested_server.py", folder, "while it was imported"):
        return AppImports(folder, folder / "work").import_file("tested_server.py")


def find(folder: Path, source: str, name: str | None = None) -> tuple[str, object]:
    return asyncio.run(find_server(load(folder, APP + source), "tested_server.py", name))


@pytest.mark.parametrize(
    ("source", "name", "found"),
    [
        ("app = App()\nserver = App()\nmcp = App()", None, "mcp"),
        ("app = App()\nserver = App()", None, "server"),
        ("other = App()\napp = App()", None, "app"),
        ("mcp = 'no server'\nother = App()", None, "other"),
        ("one = App()\nsame = one", None, "one"),
        ("_hidden = App()\nvisible = App()", None, "visible"),
        ("mcp = App()\nother = App()", "other", "other"),
        ("class Box:\n    inner = App()\nbox = Box()", "box.inner", "box.inner"),
        ("def mcp(): return App()", None, "mcp"),
        ("async def server(): return App()", None, "server"),
        ("def create(size=1): return App()", "create", "create"),
        ("async def create(): return App()", "create", "create"),
        ("class Odd:\n    def __getattr__(self, name): raise OSError(name)\nodd = Odd()\nonly = App()", None, "only"),
    ],
)  # fmt: skip
def test_it_is_found(tmp_path: Path, source: str, name: str | None, found: str) -> None:
    where, server = find(tmp_path, source, name)
    assert where == found
    assert type(server).__name__ == "App"


@pytest.mark.parametrize(
    ("source", "name", "message", "hint"),
    [
        ("one = App()\ntwo = App()", None, "has 2 servers: one, two", "tested_server.py:one"),
        ("", None, "has no MCP server", "tested_server.py:NAME"),
        ("one = App()", "two", "has no 'two'", "tested_server.py:one"),
        ("one = 1", "one", "is a int, not a server", "name a FastMCP"),
        ("def one(): return 1", "one", "returned a int", "return a FastMCP"),
    ],
)
def test_what_is_not_found_is_said(tmp_path: Path, source: str, name: str | None, message: str, hint: str) -> None:
    with pytest.raises(ServerError) as caught:
        find(tmp_path, source, name)
    assert message in caught.value.message
    assert hint in str(caught.value.hint)


def refused(folder: Path, source: str, **others: str) -> ServerError:
    with pytest.raises(ServerError) as caught:
        load(folder, source, **others)
    assert str(folder) not in caught.value.trace
    assert "homeport_runtime" not in caught.value.trace
    return caught.value


def test_the_traceback_has_the_persons_frames_only(tmp_path: Path) -> None:
    error = refused(tmp_path, "import helper_one\n", helper_one="import json\n\njson.loads('{')\n")
    assert error.message.startswith("tested_server.py raised JSONDecodeError")
    files = [line.strip() for line in error.trace.splitlines() if line.strip().startswith("File")]
    assert files == ['File "tested_server.py", line 1, in <module>', 'File "helper_one.py", line 3, in <module>']


# A library, which is not in the project's folder, and what is said to do about what it raises.
OF_A_LIBRARY = [
    ("import absent_package", "uvx --with absent_package PACKAGE"),
    ("raise ModuleNotFoundError('No', name='mcp.server.fastmcp')", "uvx --with mcp<2 PACKAGE"),
    ("from json import absent", "pypi:PACKAGE==VERSION"),
    ("def", "pypi:PACKAGE==VERSION"),
    ("raise RuntimeError('no VAULT_TOKEN')", "--env KEY=VALUE"),
    # As GitPython says it.
    ("raise ImportError('Bad git executable: it must be included in your $PATH')", "name a base that has it"),
]


@pytest.mark.parametrize(("source", "hint"), OF_A_LIBRARY)
def test_what_a_library_raises_is_no_fault_of_the_persons_files(tmp_path: Path, source: str, hint: str) -> None:
    (tmp_path / "library.py").write_text(source)
    with pytest.raises(ServerError) as caught, explaining("program", tmp_path / "app", "before it served"):
        runpy.run_path(str(tmp_path / "library.py"))
    assert hint in str(caught.value.hint)


def test_a_reason_is_not_said_twice(tmp_path: Path) -> None:
    with pytest.raises(ServerError) as caught, explaining("program", tmp_path, "before it served"):
        raise RuntimeError("no VAULT_TOKEN")
    assert caught.value.trace == ""


def test_settings_that_are_missing_are_to_be_set(tmp_path: Path) -> None:
    """pydantic-settings is a package whose frames stand between the person's own and the error."""
    package = tmp_path / "packages" / "pydantic_settings" / "main.py"
    package.parent.mkdir(parents=True)
    package.write_text("raise ValueError('api_key')\n")
    error = refused(tmp_path, f"import runpy\n\nrunpy.run_path({str(package)!r})\n")
    assert "--env KEY=VALUE" in str(error.hint)


def test_chains_are_kept(tmp_path: Path) -> None:
    error = refused(tmp_path, "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('outer') from e\n")
    assert "ZeroDivisionError" in error.trace
    assert "direct cause" in error.trace
    assert "line 2" in error.trace
    assert "line 4" in error.trace


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups of exceptions came with Python 3.11")
def test_groups_are_trimmed_too(tmp_path: Path) -> None:
    source = "import json\nfound = []\ntry:\n    json.loads('{')\nexcept ValueError as e:\n    found.append(e)\n"
    error = refused(tmp_path, source + "raise ExceptionGroup('several', found)\n")
    assert "line 4" in error.trace
    assert "decoder.py" not in error.trace


def test_a_syntax_error_in_a_module_is_shown_where_it_is(tmp_path: Path) -> None:
    error = refused(tmp_path, "import helper_two\n", helper_two="x = (\n")
    assert "SyntaxError" in error.message
    assert 'File "helper_two.py", line 1' in error.trace


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("import os\nos.environ['NO_SUCH_KEY']\n", "--env NO_SUCH_KEY=VALUE"),
        ("import no_such_package.part\n", "if 'no_such_package' is a package"),
        ("import sys\nsys.exit(3)\n", "arguments behind `--`"),
        ("import subprocess\nsubprocess.run(['no-such-program'])\n", "runs a program that is not here"),
        ("open('no-such-file')\n", "what an ignore file names stays behind"),
    ],
)
def test_the_hint_fits(tmp_path: Path, source: str, hint: str) -> None:
    assert hint in str(refused(tmp_path, source).hint)
