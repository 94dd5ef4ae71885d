"""Tests resolution by uv itself, from the project's own files."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from uv import find_uv_bin

from platform_cli.config.project import Entrypoint, Project
from platform_cli.errors import LockError
from platform_cli.pipeline import resolve as module
from platform_cli.pipeline.interpreter import find_interpreter
from platform_cli.pipeline.layer import build_layer
from platform_cli.pipeline.lock import make_lock
from platform_cli.pipeline.model import Lock
from platform_cli.pipeline.requirements import resolve_requirements
from tests.project_files.test_imports import write

INTERPRETER = find_interpreter(None, Path())
PROJECT = '[project]\nname = "{}"\nversion = "{}"\nrequires-python = ">=3.10"\ndependencies = {}\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
SETUP = """from setuptools import setup
setup(name='legacy', version='1', py_modules=[], install_requires=open('need').read())
"""


def lock(folder: Path, server: str = "server.py", **changes: object) -> Lock:
    project = replace(Project(folder, Entrypoint(server)), **changes)  # type: ignore[arg-type]
    requirements = replace(resolve_requirements(project), upgrade=project.upgrade)
    return make_lock(requirements, INTERPRETER, folder.parent / "cache")[0]


def uv_lock(folder: Path) -> None:
    subprocess.run([find_uv_bin(), "lock", "--quiet", "--no-python-downloads"], cwd=folder, check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    write(tmp_path / "project", {"server.py": ""})
    return tmp_path / "project"


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def workspace(folder: Path) -> None:
    """Makes a workspace whose member has the name of a package of PyPI."""
    write(
        folder,
        {
            "pyproject.toml": PROJECT.format("mono", "0", "[]") + "[tool.uv.workspace]\nmembers = ['packages/*']\n",
            "packages/server/pyproject.toml": PROJECT.format("mono-server", "0", '["six"]')
            + "[tool.uv.sources]\nsix = {workspace = true}\n",
            "packages/server/server.py": "import six",
            "packages/shared/pyproject.toml": PROJECT.format("six", "99", "[]") + HATCH,
            "packages/shared/six/__init__.py": "WHO = 'member'",
        },
    )


@pytest.mark.parametrize("locked", [True, False])
def test_the_member_of_a_workspace_is_what_is_installed(locked: bool, folder: Path) -> None:
    workspace(folder)
    if locked:
        uv_lock(folder)
    before = everything(folder)
    found = lock(folder, "packages/server/server.py")
    assert everything(folder) == before
    layer, _ = build_layer(found, INTERPRETER, folder.parent / "layers")
    assert (layer.path / "six/__init__.py").read_text() == "WHO = 'member'"
    assert (layer.path / "uvicorn").is_dir()


def test_an_unchanged_project_needs_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace(folder)
    first = lock(folder, "packages/server/server.py")
    write(folder, {"packages/server/server.py": "import six  # edited"})
    with monkeypatch.context() as patched:
        patched.setattr(module, "run_uv", None)
        assert lock(folder, "packages/server/server.py") == first
    write(folder, {"packages/shared/six/__init__.py": "WHO = 'edited'"})
    assert lock(folder, "packages/server/server.py").hash != first.hash


def test_a_stale_uv_lock_is_resolved_again_and_named(folder: Path) -> None:
    write(folder, {"pyproject.toml": PROJECT.format("x", "1", '["six"]')})
    uv_lock(folder)
    assert lock(folder).notes == ()
    write(folder, {"pyproject.toml": PROJECT.format("x", "1", '["six", "tabulate"]')})
    before = everything(folder)
    found = lock(folder)
    assert "tabulate==" in found.text
    assert found.notes == ("uv.lock is older than pyproject.toml, and was resolved again: `uv lock` updates it",)
    assert everything(folder) == before
    write(folder, {"uv.lock": "version = 1\nbroken"})
    with pytest.raises(LockError, match=r"uv\.lock"):
        lock(folder)


def test_extras_and_groups(folder: Path) -> None:
    text = PROJECT.format("x", "1", '["six"]') + (
        '[project.optional-dependencies]\na = ["idna"]\n[dependency-groups]\ndev = ["h11"]\nb = ["tabulate"]\n'
    )
    write(folder, {"pyproject.toml": text})
    for _ in ("compiled", "exported"):
        plain, more = lock(folder).text, lock(folder, extras=("a",), groups=("b",)).text
        assert ("idna==" in plain, "tabulate==" in plain) == (False, False)
        assert ("idna==" in more, "tabulate==" in more, "six==" in more) == (True, True, True)
        uv_lock(folder)
    with pytest.raises(LockError, match="nothing"):
        lock(folder, extras=("nothing",))


def test_poetry_without_a_package_and_with_a_lock(folder: Path) -> None:
    text = """[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = "^3.10"
six = "^1.15"
lib = {path = "../lib"}
[tool.poetry.group.more.dependencies]
idna = "^3"
"""
    pin = '[[package]]\nname = "six"\nversion = "{}"\n'
    write(folder.parent, {"lib/pyproject.toml": PROJECT.format("lib", "3", "[]") + HATCH, "lib/lib/__init__.py": ""})
    write(folder, {"pyproject.toml": text, "poetry.lock": pin.format("1.16.0")})
    found = lock(folder, groups=("more",))
    assert "six==1.16.0" in found.text
    assert "idna==3" in found.text
    assert "lib-3-py3-none-any.whl" in found.text
    write(folder, {"poetry.lock": pin.format("1.14.0")})
    found = lock(folder)
    assert "six==1.1" in found.text
    assert found.notes == ("poetry.lock does not fit pyproject.toml: resolved without it",)


def test_setup_py_is_asked_and_writes_nothing(folder: Path) -> None:
    write(folder, {"setup.py": SETUP, "need": "six"})
    assert "six==" in lock(folder).text
    assert not list(folder.glob("*.egg-info"))
    write(folder, {"need": "idna"})
    assert "idna==" in lock(folder).text


def test_the_sources_of_a_script(folder: Path) -> None:
    script = "# /// script\n# dependencies = ['six']\n# [tool.uv.sources]\n# six = {path = 'lib'}\n# ///\n"
    write(
        folder,
        {
            "server.py": script,
            "lib/pyproject.toml": PROJECT.format("six", "99", "[]") + HATCH,
            "lib/six/__init__.py": "",
        },
    )
    assert "six-99-py3-none-any.whl" in lock(folder).text


def test_the_project_itself_in_requirements_txt(folder: Path) -> None:
    write(folder, {"requirements.txt": "-e .[a]\ntabulate\n./lib", "lib/setup.py": SETUP, "lib/need": ""})
    extra = '[project.optional-dependencies]\na = ["idna"]\n'
    write(folder, {"pyproject.toml": PROJECT.format("x", "1", '["six"]') + extra + HATCH})
    found = lock(folder, requirements="requirements.txt").text
    assert [name for name in ("six==", "idna==", "tabulate==", "legacy-1-") if name in found] == [
        "six==", "idna==", "tabulate==", "legacy-1-",
    ]  # fmt: skip
    assert sorted(path.name for path in (folder / "lib").iterdir()) == ["need", "setup.py"]


def test_a_package_that_cannot_be_built(folder: Path) -> None:
    write(folder, {"requirements.txt": "./lib", "lib/setup.py": "raise SystemExit('no such luck')"})
    with pytest.raises(LockError, match=r"local package .*lib cannot be built: .*no such luck"):
        lock(folder)


def test_code_of_the_older_generation_bounds_what_nobody_bounded(folder: Path) -> None:
    requirements = replace(resolve_requirements(Project(folder, None)), text="mcp>=1.2\n", origin="requirements.txt")
    bounded, _ = make_lock(replace(requirements, bounds=("mcp<2",)), INTERPRETER, folder.parent)
    assert "\nmcp==1." in bounded.text
    assert bounded.notes == ("mcp<2 was added: requirements.txt sets no limit, and the code is for that generation",)
    asked, _ = make_lock(replace(requirements, text="mcp>=2\n", bounds=("mcp<2",)), INTERPRETER, folder.parent)
    assert ("\nmcp==2." in asked.text, asked.notes) == (True, ())


def test_upgrade_resolves_anew(folder: Path) -> None:
    def made(text: str, upgrade: tuple[str, ...] | None = None) -> str:
        write(folder, {"requirements.txt": text})
        return lock(folder, upgrade=upgrade).text

    made("six\nidna\n")
    [remembered] = (folder.parent / "cache/locks").iterdir()
    made("six==1.16.0\nidna==3.9\n")
    [older] = set((folder.parent / "cache/locks").iterdir()) - {remembered}
    older.replace(remembered)
    assert "six==1.16.0" in made("six\nidna\n")
    some = made("six\nidna\n", ("six",))
    assert ("six==1.16.0 " in some, "idna==3.9 " in some) == (False, True)
    assert "idna==3.9 " not in made("six\nidna\n", ())
    assert "idna==3.9 " not in made("six\nidna\n")


@pytest.mark.parametrize(("wanted", "kept"), [("uvicorn", False), ("uvicorn==0.45.0", True)])
def test_uvicorn_is_taken_as_it_was_tried_unless_the_user_says_otherwise(
    folder: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, kept: bool
) -> None:
    monkeypatch.setattr(module, "RUNTIME_BOUNDS", ("uvicorn<0.40",))
    write(folder, {"requirements.txt": f"{wanted}\n"})
    locked = lock(folder)
    assert ("uvicorn==0.45.0" in locked.text, "uvicorn==0.3" in locked.text) == (kept, not kept)
    assert locked.notes == ()
