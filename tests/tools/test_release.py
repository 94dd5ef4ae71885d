"""Tests what keeps a release from being made: version, changelog and tag that do not agree."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from platform_cli import __version__
from tests.github.fake import git
from tests.support import ROOT
from tools.release import Stated, problems, read_stated

HEAD = "1" * 40
SOUND = Stated("0.2.0", "0.2.0", ("0.2.0", "2026-12-01"), None, HEAD, is_clean=True)


@pytest.mark.parametrize("stated", [SOUND, replace(SOUND, tag=HEAD)])
def test_what_agrees_is_released(stated: Stated) -> None:
    assert problems("0.2.0", stated) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"project": "0.1.0"}, "pyproject.toml has version 0.1.0"),
        ({"module": "0.1.0"}, "platform_cli/__init__.py has version 0.1.0"),
        ({"entry": None}, "CHANGELOG.md begins with no entry"),
        ({"entry": ("0.1.0", "2026-11-01")}, "CHANGELOG.md begins with 0.1.0"),
        ({"entry": ("0.2.0", "unreleased")}, "CHANGELOG.md says that 0.2.0 is unreleased: write the date"),
        ({"tag": "2" * 40}, f"the tag v0.2.0 is at another commit, {'2' * 40}"),
        ({"is_clean": False}, "the checkout has changes that are not committed"),
    ],
)
def test_each_contradiction_is_said(change: dict[str, Any], said: str) -> None:
    assert problems("0.2.0", replace(SOUND, **change)) == [said]


@pytest.mark.parametrize("version", ["v0.2.0", "0.2.0.", "new"])
def test_what_is_no_version(version: str) -> None:
    assert problems(version, SOUND)


def test_what_a_checkout_says(tmp_path: Path) -> None:
    (tmp_path / "platform_cli").mkdir()
    (tmp_path / "platform_cli" / "__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 0.2.0 (2026-12-01)\n\n- new\n\n## 0.1.0 (2026-11-01)\n")
    git(tmp_path, "init", "--quiet")
    first = _commit(tmp_path)
    assert read_stated(tmp_path, "0.2.0") == replace(SOUND, head=first)
    git(tmp_path, "tag", "--annotate", "--message", "a release", "v0.2.0")
    assert read_stated(tmp_path, "0.2.0").tag == first
    second = _commit(tmp_path)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 0.3.0 (unreleased)\n")
    expected = Stated("0.2.0", "0.2.0", ("0.3.0", "unreleased"), first, second, is_clean=False)
    assert read_stated(tmp_path, "0.2.0") == expected


def _commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "a change")
    return git(folder, "rev-parse", "HEAD")


def test_this_checkout_can_become_a_release() -> None:
    """It lacks only what is written when it does: the date, the tag and the last commit."""
    stated = read_stated(ROOT, __version__)
    assert stated.entry is not None
    assert problems(__version__, replace(stated, entry=(stated.entry[0], "2026-12-01"), tag=None, is_clean=True)) == []


def test_the_lock_has_what_the_project_asks_for() -> None:
    """uv.lock is for `uv sync`; `uv lock` brings it up to date."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    (own,) = (package for package in packages if package["name"] == project["project"]["name"])
    metadata = own["metadata"]
    assert _names(project["project"]["dependencies"]) == {each["name"] for each in metadata["requires-dist"]}
    assert _names(project["dependency-groups"]["dev"]) == {each["name"] for each in metadata["requires-dev"]["dev"]}


def _names(requirements: list[str]) -> set[str]:
    return {Requirement(each).name for each in requirements}
