from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from platform_cli.commands.project_here import project_here
from platform_cli.home import Home
from platform_cli.targets.aws_lambda.target import LambdaTarget
from platform_cli.targets.local.target import LocalTarget


class Client:
    """Stands in for a platform that knows where its projects came from."""

    remote = None

    def __init__(self, **places: Path) -> None:
        self._places = places

    def projects(self) -> list[dict[str, Any]]:
        return [{"project": name, "folder": str(folder)} for name, folder in self._places.items()]


def target(**places: Path) -> LocalTarget:
    return LocalTarget(cast(Any, Client(**places)), Home(Path("home")), lambda _: None)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "svc").mkdir()
    return tmp_path.resolve()


def test_a_folder_belongs_to_the_project_above_it(top: Path) -> None:
    (top / "requirements.txt").touch()
    known, none = target(one=top, other=top.parent), LambdaTarget(cast(Any, None))
    assert project_here(top / "svc", known) == project_here(top, known) == "one"
    assert project_here(top, none) is None
    (top / "fastmcp.toml").write_text("[project]\nname = 'two'")
    assert project_here(top / "svc", known) == project_here(top / "svc", none) == "two"


def test_two_projects_of_one_folder_leave_a_doubt(top: Path) -> None:
    assert project_here(top, target(one=top, two=top)) is None


def test_a_member_of_a_workspace_is_known_by_its_own_folder(top: Path) -> None:
    (top / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = ['*']")
    (top / "svc/pyproject.toml").touch()
    assert project_here(top / "svc", target(whole=top, member=top / "svc")) == "member"
