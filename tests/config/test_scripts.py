from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.project import Program
from platform_cli.config.scripts import console_scripts, module_file

ONE = Program("pkg.cli", "app.main", "one")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[project.scripts]\none = "pkg.cli:app.main"'),
        ("pyproject.toml", '[tool.poetry.scripts]\none = "pkg.cli:app.main"'),
        ("pyproject.toml", '[tool.poetry.scripts]\none = {reference = "pkg.cli:app.main", type = "console"}'),
        ("setup.cfg", "[options.entry_points]\nconsole_scripts =\n    one = pkg.cli:app.main [extra]\n"),
        ("setup.py", "from setuptools import setup\nsetup(entry_points={'console_scripts': ['one=pkg.cli:app.main']})"),
        ("setup.py", "setup(entry_points='''\n[console_scripts]\none = pkg.cli : app.main\n''')"),
    ],
)
def test_a_script_is_read_where_it_is_declared(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    (found,) = console_scripts(tmp_path)
    assert found.program == ONE
    assert file in found.origin


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", "= nonsense"),
        ("pyproject.toml", "project = 1"),
        ("pyproject.toml", "[project.scripts]\none = 1\ntwo = 'pkg'"),
        ("setup.cfg", "nonsense"),
        ("setup.py", "setup(entry_points=computed())"),
        ("setup.py", "x = = 1"),
    ],
)
def test_what_declares_none_has_none(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    assert console_scripts(tmp_path) == ()


def test_nothing_of_a_setup_py_is_executed(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nsetup(entry_points={{}})")
    assert console_scripts(tmp_path) == ()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("file", "module"),
    [("a.py", "a"), ("src/a/b.py", "a.b"), ("a/__main__.py", "a"), ("lib/a/__init__.py", "a"), ("a.py", "b")],
)
def test_the_file_of_a_module(tmp_path: Path, file: str, module: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert module_file(tmp_path, module) == (None if module == "b" else tmp_path / file)
