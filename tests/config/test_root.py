from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.root import find_root


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Makes a folder with a deep one in it; what is above it holds no project."""
    (tmp_path / "a/b/c").mkdir(parents=True)
    return tmp_path.resolve()


@pytest.mark.parametrize(
    ("files", "root"),
    [
        ([], "a/b/c"),
        (["a/.git/HEAD"], "a"),
        (["a/requirements.txt"], "a"),
        (["a/.git/HEAD", "a/b/pyproject.toml"], "a/b"),
        (["a/pyproject.toml", "a/b/.git/HEAD"], "a/b"),
        (["a/fastmcp.toml", "a/b/pyproject.toml"], "a"),
        (["a/fastmcp.json", "a/b/c/fastmcp.toml"], "a/b/c"),
        (["fastmcp.toml", "a/.git/HEAD"], "a"),
        (["a/package.json", "a/b/uv.lock"], "a/b"),
        (["a/b/setup.py"], "a/b"),
    ],
)
def test_the_root_is_found_above(top: Path, files: list[str], root: str) -> None:
    for file in files:
        (top / file).parent.mkdir(parents=True, exist_ok=True)
        (top / file).touch()
    found = find_root(top / "a/b/c")
    assert (found.folder, found.config, found.package, found.member) == (top / root, top / root, top / root, "")


@pytest.mark.parametrize("home", ["a", "a/b/c"])
def test_a_home_folder_is_nobodys_root(top: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("HOME", str(top / home))
    (top / "a/fastmcp.toml").touch()
    (top / "a/b/c/package.json").touch()
    assert find_root(top / "a/b/c").folder == top / "a/b/c"


def test_a_folder_for_everybody_is_nobodys_root(top: Path) -> None:
    (top / "a").chmod(0o1777)
    (top / "a/fastmcp.toml").touch()
    assert find_root(top / "a/b/c").folder == top / "a/b/c"


@pytest.mark.parametrize(
    ("workspace", "is_member"),
    [
        ('members = ["b/c"]', True),
        ('members = ["b/*"]', True),
        ('members = ["*"]', False),
        ('members = ["**"]', True),
        ('members = ["b/*"]\nexclude = ["b/c"]', False),
        ("", False),
    ],
)
def test_the_root_of_a_member_is_the_workspaces(top: Path, workspace: str, is_member: bool) -> None:
    (top / "a/b/c/pyproject.toml").write_text('[project]\nname = "member"\n')
    (top / "a/pyproject.toml").write_text(f"[tool.uv.workspace]\n{workspace}\n")
    found = find_root(top / "a/b/c")
    assert found.package == top / "a/b/c"
    assert (found.folder, found.member) == ((top / "a", "b/c") if is_member else (top / "a/b/c", ""))


def test_a_pyproject_that_cannot_be_read_is_no_workspace(top: Path) -> None:
    (top / "a/b/c/pyproject.toml").touch()
    (top / "a/pyproject.toml").write_text("= nonsense")
    assert find_root(top / "a/b/c").folder == top / "a/b/c"
