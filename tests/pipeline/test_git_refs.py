"""Tests branches that have moved since they were locked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from platform_cli.pipeline.git_refs import moved_branches
from platform_cli.pipeline.model import ProjectFile, Requirements
from tests.project_files.test_imports import write


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "lib.git"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


def git(folder: Path, *args: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(["git", *names, *args], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--message=x")
    return git(folder, "rev-parse", "HEAD")


def moved(repository: Path, text: str, old: str) -> list[str]:
    lock = f"six==1.17.0\nlib @ git+{repository.as_uri()}@{old}\n"
    return list(moved_branches(Requirements(text, "requirements.txt"), lock))


def test_a_branch_that_moved_is_told_and_one_that_did_not_is_not(repository: Path) -> None:
    git(repository, "branch", "odd/main")
    old = git(repository, "rev-parse", "HEAD")
    wanted = f"lib[x] @ git+{repository.as_uri()}@main ; python_version > '3'\n"
    assert moved(repository, wanted, old) == []
    new = commit(repository)
    assert moved(repository, wanted, old) == [
        f"lib: main of {repository.as_uri()} has moved from {old[:7]} to {new[:7]}; "
        "`homeport deploy --upgrade lib` takes it"
    ]
    assert moved(repository, f"git+{repository.as_uri()}#egg=lib", old)[0].startswith("lib: HEAD of ")
    assert moved(repository, f"lib @ git+{repository.as_uri()}@odd/main", old) == []
    assert moved(repository, f"lib @ git+{repository.as_uri()}@{old[:12]}", old) == []
    assert moved(repository, f"lib @ git+{repository.as_uri()}@absent", old) == []


def test_tags_are_those_of_their_commits(repository: Path) -> None:
    git(repository, "tag", "--annotate", "--message=x", "v1")
    old = git(repository, "rev-parse", "HEAD")
    wanted = f"lib @ git+{repository.as_uri()}@v1"
    commit(repository)
    assert moved(repository, wanted, old) == []
    git(repository, "tag", "--annotate", "--force", "--message=x", "v1")
    assert len(moved(repository, wanted, old)) == 1


@pytest.mark.parametrize(
    "text",
    ["[tool.uv.sources]\nlib = {{git = '{}', branch = 'main'}}", "[tool.poetry.dependencies]\nlib = {{git = '{}'}}"],
)
def test_the_sources_of_a_project_file(text: str, repository: Path, tmp_path: Path) -> None:
    old = git(repository, "rev-parse", "HEAD")
    commit(repository)
    write(tmp_path, {"pyproject.toml": text.format(repository.as_uri())})
    lock = f"lib @ git+{repository.as_uri()}@{old}\n"
    for name, told in (("", 1), ("uv.lock", 0)):
        file = ProjectFile(tmp_path, "pyproject.toml", "", lock=name)
        assert len(list(moved_branches(Requirements("", "", file=file), lock))) == told


def test_a_repository_that_does_not_answer_is_passed_over(tmp_path: Path) -> None:
    assert moved(tmp_path / "absent", f"lib @ git+{(tmp_path / 'absent').as_uri()}@main", "0" * 40) == []
