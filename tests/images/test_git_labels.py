from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from platform_cli.images.git_labels import _address, git_labels

COMMIT_BY = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}


def git(folder: Path, *command: str) -> str:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    environment = {**os.environ, **COMMIT_BY}
    done = subprocess.run(
        ["git", *identity, *command], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Returns a project in a folder of a repository with one commit."""
    folder = tmp_path / "repository/server"
    folder.mkdir(parents=True)
    (folder / "server.py").write_text("")
    git(folder.parent, "init", "--quiet")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "--quiet", "--message", "first")
    return folder


def test_a_project_in_a_repository(project: Path) -> None:
    commit = git(project, "rev-parse", "HEAD")
    assert git_labels(project) == {"org.opencontainers.image.revision": commit}
    git(project, "remote", "add", "origin", "https://you:token@github.com/you/server.git")
    (project.parent / "elsewhere").touch()
    assert git_labels(project) == {
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.source": "https://github.com/you/server",
    }
    (project / "server.py").write_text("changed")
    assert git_labels(project)["org.opencontainers.image.revision"] == f"{commit}-dirty"


def test_the_same_commit_in_another_folder_has_the_same_labels(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(project.parent), "copy")
    git(tmp_path / "copy", "remote", "remove", "origin")
    assert git_labels(tmp_path / "copy/server") == git_labels(project) != {}


def test_what_is_in_no_repository(project: Path, tmp_path: Path) -> None:
    (project.parent / "scratch").mkdir()
    (project.parent / "scratch/server.py").touch()
    assert git_labels(project.parent / "scratch") == {}
    (tmp_path / "alone").mkdir()
    assert git_labels(tmp_path / "alone") == {}


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@github.com:you/server.git", "https://github.com/you/server"),
        ("ssh://git@example.com:2222/you/server", "https://example.com/you/server"),
        ("https://example.com/you/server/", "https://example.com/you/server"),
        ("/srv/git/server.git", ""),
        ("file:///srv/git/server.git", ""),
        ("https://[broken", ""),
        ("", ""),
    ],
)
def test_addresses(remote: str, address: str) -> None:
    assert _address(remote) == address
