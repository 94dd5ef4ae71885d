"""Tests packages of npm in a layer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platform_cli.config.project import Project
from platform_cli.errors import LayerError, LockError
from platform_cli.pipeline import node
from platform_cli.pipeline.interpreter import find_interpreter
from platform_cli.pipeline.layer import build_layer
from platform_cli.pipeline.model import Layer, Lock, NodePackages
from platform_cli.pipeline.node import (
    NpmError,
    find_program,
    install_packages,
    lock_packages,
    packages_origin,
    with_packages,
)
from tests.support import require

INTERPRETER = find_interpreter(None, Path())
EMPTY = Lock("", "0" * 64, INTERPRETER.minor, INTERPRETER.platform)
# Small, and without packages of its own.
PACKAGE = {"private": True, "dependencies": {"is-number": "7.0.0"}}


@pytest.fixture(autouse=True)
def npm() -> None:
    require(shutil.which("npm"), "npm is not installed")


def project(folder: Path, package: Mapping[str, Any], *command: str) -> Project:
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text(json.dumps(package))
    return Project(folder, None, command=command or ("node", "index.js"))


def installed(made: Project, home: Path) -> Layer:
    packages, _ = lock_packages(made, home / "cache")
    assert packages is not None
    return build_layer(with_packages(EMPTY, packages), INTERPRETER, home / "layers")[0]


def test_packages_are_locked_once_and_installed_into_the_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = project(tmp_path / "project", PACKAGE)
    packages, known = lock_packages(made, tmp_path / "cache")
    assert packages is not None
    assert not known
    assert lock_packages(made, tmp_path / "cache") == (packages, True)
    layer = installed(made, tmp_path)
    assert (layer.path / "node_modules/is-number/index.js").is_file()
    monkeypatch.setattr(node, "_npm", None)  # a finished layer needs no process
    assert installed(made, tmp_path) == layer
    assert [path.name for path in made.folder.iterdir()] == ["package.json"]


def test_the_projects_own_lock_decides(tmp_path: Path) -> None:
    made = project(tmp_path / "project", PACKAGE)
    packages, _ = lock_packages(made, tmp_path / "cache")
    assert packages is not None
    (made.folder / "package-lock.json").write_text(packages.lock + "\n")
    own, known = lock_packages(made, tmp_path / "other")
    assert own == replace(packages, lock=packages.lock + "\n")
    assert known
    assert with_packages(EMPTY, packages).hash != with_packages(EMPTY, replace(packages, node="v1")).hash


YARN = """# yarn lockfile v1


is-number@>=6:
  version "6.0.0"
  resolved "https://registry.yarnpkg.com/is-number/-/is-number-6.0.0.tgz#e6d15ad31fc262887cccf217ae5f9316f81b1995"
  integrity sha512-Wu1VHeILBK8KAWJUAiSZQX94GmOE45Rg6/538fKwiloUu21KncEkYGPqob2oSZ5mUT73vLGrHQjKw3KMPwfDzg==
"""
PNPM = "lockfileVersion: '9.0'\n\npackages:\n\n  is-number@6.0.0:\n    resolution: {}\n"
BUN = '{\n  "packages": {\n    "is-number": ["is-number@6.0.0", "", {}, "sha512-x"],\n  }\n}\n'


@pytest.mark.parametrize(("name", "text"), [("yarn.lock", YARN), ("pnpm-lock.yaml", PNPM), ("bun.lock", BUN)])
def test_locks_of_yarn_pnpm_and_bun_decide(tmp_path: Path, name: str, text: str) -> None:
    made = project(tmp_path / "project", {"private": True, "dependencies": {"is-number": ">=6"}})
    (made.folder / name).write_text(text)
    assert _locked("is-number", made, tmp_path) == "6.0.0"
    assert _locked("is-number", replace(made, upgrade=()), tmp_path) > "6.0.0"


def _locked(package: str, made: Project, home: Path) -> str:
    packages, _ = lock_packages(made, home / "cache")
    assert packages is not None
    return str(json.loads(packages.lock)["packages"][f"node_modules/{package}"]["version"])


def test_a_lock_that_lacks_a_package_is_filled_up(tmp_path: Path) -> None:
    less = {**PACKAGE, "dependencies": {}}
    packages, _ = lock_packages(project(tmp_path / "less", less), tmp_path / "cache")
    made = project(tmp_path / "project", PACKAGE)
    assert packages is not None
    (made.folder / "package-lock.json").write_text(packages.lock)
    assert (installed(made, tmp_path).path / "node_modules/is-number/index.js").is_file()


def test_install_scripts_of_the_project_are_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    scripts = dict.fromkeys(("postinstall", "prepare"), f"node -e \"require('fs').writeFileSync('{marker}', '')\"")
    made = project(tmp_path / "project", {**PACKAGE, "scripts": scripts})
    installed(made, tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize(("optional", "kept"), [(True, ["fine", "plain"]), (False, [])])
def test_an_optional_package_whose_script_fails_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, optional: bool, kept: list[str]
) -> None:
    scripted = {"hasInstallScript": True}
    entries = {"fine": {**scripted, "optional": True}, "broken": {**scripted, "optional": optional}, "plain": {}}
    lock = {"packages": {f"node_modules/{name}": entry for name, entry in entries.items()}}

    def install(folder: Path) -> None:
        for name in entries:
            (folder / "node_modules" / name).mkdir(parents=True)

    def run(args: Sequence[str], folder: Path) -> None:
        if (folder / "node_modules/broken").is_dir():
            raise NpmError("no compiler", f"{folder}/node_modules/broken")

    monkeypatch.setattr(node, "_install", install)
    monkeypatch.setattr(node, "npm_with_scripts", run)
    with nullcontext() if optional else pytest.raises(LayerError, match="no compiler"):
        install_packages(NodePackages("{}", json.dumps(lock), "", "v20"), tmp_path)
        assert sorted(path.name for path in (tmp_path / "node_modules").iterdir()) == kept


@pytest.mark.parametrize("command", [("python", "x.py"), ("./serve",)])
def test_other_commands_have_no_packages(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert lock_packages(project(tmp_path, PACKAGE, *command), tmp_path) == (None, True)


def test_what_npx_runs_is_a_package_like_any_other(tmp_path: Path) -> None:
    made = Project(tmp_path / "project", None, command=("npx", "-y", "is-number@7.0.0"))
    made.folder.mkdir()
    assert (installed(made, tmp_path).path / "node_modules/is-number/index.js").exists()
    assert lock_packages(replace(made, command=("npx", "-y", "./local")), tmp_path) == (None, True)


def test_what_names_the_packages_is_told(tmp_path: Path) -> None:
    made = project(tmp_path / "project", PACKAGE)
    assert packages_origin(made) == "package.json"
    (made.folder / "yarn.lock").touch()
    assert packages_origin(made) == "yarn.lock"
    assert packages_origin(replace(made, source="npm:is-number")) == "npm:is-number"
    assert packages_origin(Project(tmp_path, None, command=("npx", "-y", "is-number"))) == "the command"
    assert packages_origin(Project(tmp_path, None, command=("./server",))) is None


def test_packages_that_are_not_there_are_named(tmp_path: Path) -> None:
    made = project(tmp_path / "project", {"dependencies": {"is-number": "99.0.0"}})
    with pytest.raises(LockError, match=r"cannot be resolved(.|\n)*is-number@99\.0\.0"):
        lock_packages(made, tmp_path / "cache")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("npx", "-y", "@a/server@1.2", "--x"), ("node", "node_modules/@a/server/dist/i.js", "--x")),
        (("npx", "@a/server"), ("node", "node_modules/@a/server/dist/i.js")),
        (("npx", "other"), ("npx", "other")),
        (("node", "index.js"), ("node", "index.js")),
    ],
)
def test_the_program_of_an_installed_package(
    tmp_path: Path, command: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    package = tmp_path / "node_modules/@a/server"
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": "@a/server", "bin": {"server": "dist/i.js"}}))
    assert find_program(Project(tmp_path, None, command=command), tmp_path).command == expected
