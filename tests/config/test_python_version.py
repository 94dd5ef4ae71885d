"""Tests which Python a project asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.project import Entrypoint, Project
from platform_cli.config.python_version import required_python, specifier_of_poetry, wanted_python
from tests.project_files.test_imports import write

REQUIRES = "[project]\nname = 'x'\nrequires-python = '>=3.11'\n"
INLINE = "# /// script\n# requires-python = '>=3.12'\n# ///\n"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({}, None),
        ({"pyproject.toml": REQUIRES}, ">=3.11"),
        ({"pyproject.toml": REQUIRES, ".python-version": "3.12.4\n"}, "3.12"),
        ({"pyproject.toml": REQUIRES, ".python-version": "# pinned\ncpython@3.13\n"}, "3.13"),
        ({"pyproject.toml": REQUIRES, ".python-version": "some-virtualenv\n"}, ">=3.11"),
        ({"app/server.py": INLINE, ".python-version": "3.11"}, ">=3.12"),
        ({"app/pyproject.toml": REQUIRES, "pyproject.toml": "[project]\nrequires-python = '>=3.13'"}, ">=3.11"),
        ({"app/pyproject.toml": REQUIRES, ".python-version": "3.13"}, "3.13"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.11'\n"}, ">=3.11,<4"),
        ({"Pipfile": "[requires]\npython_version = '3.12'\n"}, "3.12"),
        ({"pyproject.toml": "broken = \n"}, None),
    ],
)
def test_the_first_that_says_so(files: dict[str, str], wanted: str | None, tmp_path: Path) -> None:
    write(tmp_path, {"app/server.py": "", **files})
    assert wanted_python(Project(tmp_path, Entrypoint("app/server.py"))) == wanted
    assert wanted_python(Project(tmp_path, Entrypoint("app/server.py"), python_version="3.10")) == "3.10"


@pytest.mark.parametrize(
    ("files", "required"),
    [
        ({"pyproject.toml": REQUIRES, ".python-version": "3.14"}, ">=3.11"),
        ({".python-version": "3.14"}, None),
        ({"app/server.py": INLINE, "pyproject.toml": REQUIRES, ".python-version": "3.14"}, ">=3.12"),
    ],
)
def test_only_python_version_gives_way(files: dict[str, str], required: str | None, tmp_path: Path) -> None:
    write(tmp_path, {"app/server.py": "", **files})
    assert required_python(Project(tmp_path, Entrypoint("app/server.py"))) == required


@pytest.mark.parametrize(
    ("constraint", "specifier"),
    [
        ("^3.11", ">=3.11,<4"), ("^3", ">=3,<4"), ("~3.11", ">=3.11,<3.12"), ("~3.11.2", ">=3.11.2,<3.12"),
        (">=3.10,<3.13", ">=3.10,<3.13"), ("3.11.*", "==3.11.*"), ("*", None), ("^3.10 || ^3.12", None),
    ],
)  # fmt: skip
def test_poetrys_constraints(constraint: str, specifier: str | None) -> None:
    assert specifier_of_poetry(constraint) == specifier
