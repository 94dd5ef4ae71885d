"""Tests the project itself as a package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from platform_cli.config.project import Entrypoint, Program, Project
from platform_cli.pipeline import wheel as module
from platform_cli.pipeline.interpreter import find_interpreter
from platform_cli.pipeline.package import OwnPackage, own_package
from platform_cli.pipeline.source import collect_source, copy_source
from tests.pipeline.test_resolve import HATCH, everything
from tests.project_files.test_imports import write

INTERPRETER = find_interpreter(None, Path())
TOOL = """[project]
name = "tiny-clock"
dynamic = ["version"]
[project.scripts]
tiny-clock = "tiny_clock:main"
[tool.hatch.version]
path = "src/tiny_clock/about.py"
[tool.hatch.build.targets.wheel.force-include]
"data/zones.txt" = "tiny_clock/zones.txt"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    files = {
        "pyproject.toml": TOOL + HATCH,
        "src/tiny_clock/__init__.py": "def main(): print('tick')",
        "src/tiny_clock/about.py": "__version__ = '1.5'",
        "build/lib/tiny_clock/__init__.py": "def main(): print('tick')",
        "data/zones.txt": "UTC",
        "notes.md": "",
    }
    write(folder, files)
    return folder


def packaged(folder: Path, notes: list[str] | None = None, entrypoint: str | None = None) -> OwnPackage:
    project = Project(folder, Entrypoint(entrypoint)) if entrypoint else Project(folder, None, Program("tiny_clock"))
    paths = [file.path for file in collect_source(folder, None).files]
    return own_package(
        project, paths, INTERPRETER, folder.parent / "cache", (notes if notes is not None else []).append
    )


def test_what_an_installation_has_is_added_and_the_modules_stay(folder: Path) -> None:
    before = everything(folder)
    found = packaged(folder)
    assert everything(folder) == before
    assert found.roots == ("src",)
    assert [file.path.partition(".dist-info/") for file in found.files] == [
        ("src/tiny_clock-1.5", ".dist-info/", "METADATA"),
        ("src/tiny_clock-1.5", ".dist-info/", "WHEEL"),
        ("src/tiny_clock-1.5", ".dist-info/", "entry_points.txt"),
        ("src/tiny_clock/zones.txt", "", ""),
    ]
    app = folder.parent / "app"
    copy_source(folder, collect_source(folder, None).files, app)
    copy_source(found.folder, found.files, app)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from importlib.metadata import entry_points, version;"
        "print(version('tiny-clock')); entry_points(group='console_scripts', name='tiny-clock')['tiny-clock'].load()()"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", code, app / "src"], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["1.5", "tick"]


def test_a_change_to_code_or_data_alone_builds_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = packaged(folder)
    write(folder, {"src/tiny_clock/__init__.py": "def main(): print('tock')", "notes.md": "more", "new.json": "{}"})
    with monkeypatch.context() as patched:
        patched.setattr(module, "build_with_uv", None)
        assert packaged(folder) == found


@pytest.mark.parametrize(
    ("change", "path", "text"),
    [
        ({"src/tiny_clock/about.py": "__version__ = '1.6'"}, "src/tiny_clock-1.6.dist-info/METADATA", "Version: 1.6"),
        ({"data/zones.txt": "CET"}, "src/tiny_clock/zones.txt", "CET"),
        ({"pyproject.toml": TOOL.replace("tiny-clock =", "clock =") + HATCH}, "entry_points.txt", "clock = tiny"),
    ],
)
def test_whatever_decides_builds_again(change: dict[str, str], path: str, text: str, folder: Path) -> None:
    packaged(folder)
    write(folder, change)
    found = packaged(folder)
    [file] = [file for file in found.files if file.path.endswith(path)]
    assert text in (found.folder / file.path).read_text()


def test_a_member_of_a_workspace(folder: Path) -> None:
    folder.rename(folder.parent / "clock")
    (folder / "packages").mkdir(parents=True)
    (folder.parent / "clock").rename(folder / "packages/clock")
    write(folder, {"pyproject.toml": "[tool.uv.workspace]\nmembers = ['packages/*']\n"})
    found = packaged(folder, entrypoint="packages/clock/src/tiny_clock/__init__.py")
    assert found.roots == ("packages/clock/src",)
    assert "packages/clock/src/tiny_clock/zones.txt" in [file.path for file in found.files]


def test_the_version_of_a_tag(folder: Path) -> None:
    text = '[project]\nname = "tiny-clock"\ndynamic = ["version"]\n[tool.hatch.version]\nsource = "vcs"\n'
    generated = '[tool.hatch.build.hooks.vcs]\nversion-file = "src/tiny_clock/_version.py"\n'
    write(folder, {"pyproject.toml": text + generated + HATCH.replace('"hatchling"', '"hatchling", "hatch-vcs"')})
    write(folder, {".gitignore": "_version.py\n"})

    def git(*args: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=folder, check=True)

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message=one")
    git("tag", "v3.1")
    before = everything(folder)
    found = packaged(folder)
    assert everything(folder) == before
    assert "3.1" in (found.folder / "src/tiny_clock/_version.py").read_text()
    git("commit", "--quiet", "--allow-empty", "--message=two")
    git("tag", "v3.2")
    assert "src/tiny_clock-3.2.dist-info/METADATA" in [file.path for file in packaged(folder).files]


def test_a_project_that_cannot_be_built_goes_on_without(folder: Path) -> None:
    write(folder, {"data/zones.txt": "", "pyproject.toml": TOOL.replace('zones.txt" =', 'absent.txt" =') + HATCH})
    notes: list[str] = []
    assert packaged(folder, notes) == OwnPackage()
    assert "the project itself is not installed, since it cannot be built: " in notes[0]
    assert "absent.txt" in notes[0]
    assert not list((folder.parent / "cache/packages").iterdir())


@pytest.mark.parametrize("text", ["[project]\nname = 'x'\n", "[tool.uv]\npackage = false\n" + HATCH])
def test_no_build_system(text: str, folder: Path) -> None:
    write(folder, {"pyproject.toml": text})
    assert packaged(folder) == OwnPackage()
