"""Tests which packages of a workspace of Node belong to one of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from platform_cli.config.node_workspace import node_workspace, read_workspace


def written(root: Path, workspaces: object, **packages: list[str]) -> Path:
    """Writes packages into packages/, each with what it needs; `__` in a name stands for a slash."""
    (root / "package.json").write_text(json.dumps({"workspaces": workspaces}))
    for name, needs in packages.items():
        folder = root / "packages" / name.replace("__", "/")
        folder.mkdir(parents=True)
        package = {"name": folder.name, "dependencies": dict.fromkeys(needs, "*")}
        (folder / "package.json").write_text(json.dumps(package))
    return root


def test_what_is_needed_comes_before_what_needs_it(tmp_path: Path) -> None:
    root = written(tmp_path, ["./packages/*"], a=["b", "zod"], b=["c"], c=["a"], d=["a"])
    assert read_workspace(root).needed("packages/a") == ("packages/c", "packages/b")
    assert node_workspace(root / "packages/a", [root / "packages/a", root / "packages", root]) == root


@pytest.mark.parametrize(
    ("workspaces", "found"),
    [
        (["packages/*", "!packages/b"], ["packages/a"]),
        ({"packages": ["packages/**"]}, ["packages/a", "packages/b", "packages/b/deep"]),
        (["packages/a", "../*", "/etc/*", 1], ["packages/a"]),
        ("packages/*", []),
    ],
)
def test_the_globs_decide(tmp_path: Path, workspaces: object, found: list[str]) -> None:
    (tmp_path / "packages/a/node_modules/x").mkdir(parents=True)
    (tmp_path / "packages/a/node_modules/x/package.json").write_text("{}")
    (tmp_path / "packages/a").rename(tmp_path / "kept")
    root = written(tmp_path, workspaces, a=[], b=[], b__deep=[])
    (tmp_path / "kept/node_modules").rename(root / "packages/a/node_modules")
    assert list(read_workspace(root).packages) == found


@pytest.mark.parametrize("name", ["../../outside", "/etc", "..", "a/../../b"])
def test_a_name_that_is_a_way_out_is_none(tmp_path: Path, name: str) -> None:
    root = written(tmp_path, ["packages/*"], a=[name], b=[])
    (root / "packages/b/package.json").write_text(json.dumps({"name": name}))
    assert read_workspace(root).beside("packages/a") == {}


@pytest.mark.parametrize("text", ["", "packages: 1", "[", "packages:\n  - 1\n"])
def test_a_file_of_pnpm_that_cannot_be_read_is_no_workspace(tmp_path: Path, text: str) -> None:
    root = written(tmp_path, None, a=["b"], b=[])
    (root / "pnpm-workspace.yaml").write_text(text)
    assert read_workspace(root).packages == {}
    assert node_workspace(root / "packages/a", [root]) is None
