"""Tests commits by git: exactly the one that is asked for, with nobody told the token."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

import pytest

from platform_cli.errors import RevokedTokenError
from platform_cli.github.checkout import Git
from platform_cli.github.commits import MovedError
from platform_cli.github.repository import GitHub, Repository
from tests.github.fake import FakeGitHub, commit, git

# Notes what it is called with, as everybody on the machine may see it.
LISTENER = '#!/bin/sh\necho "$@" >> "{log}"\nexec "{git}" "$@"\n'


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a file with the arguments of every git that runs."""
    log, folder = tmp_path / "arguments", tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(LISTENER.format(log=log, git=shutil.which("git")))
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return log


def source(github: FakeGitHub) -> Repository:
    return Repository(GitHub(github.url, f"{github.url}/api"), github.name)


def test_the_commit_that_was_pushed_not_the_newest(
    github: FakeGitHub, repository: Path, tmp_path: Path, arguments: Path
) -> None:
    sha = git(repository, "rev-parse", "HEAD")
    (repository / "later.txt").write_text("later")
    commit(repository, "later")
    arguments.unlink()
    into = tmp_path / "into"
    into.mkdir()
    assert list(Git().list_refs(source(github), github.token, "refs/heads/main")) == ["refs/heads/main"]
    said, _ = Git().check_out(source(github), github.token, sha, "", into)
    assert (said.sha, said.message, (into / "later.txt").exists()) == (sha, "a server", False)
    seen = arguments.read_text()
    hidden = github.token, base64.b64encode(f"x-access-token:{github.token}".encode()).decode()
    assert ("ls-remote" in seen, "fetch" in seen) == (True, True)
    assert [value for value in hidden if value in seen] == []


def test_what_git_says_has_no_token(github: FakeGitHub, repository: Path) -> None:
    with pytest.raises(RevokedTokenError) as caught:
        Git().list_refs(source(github), "ghp_wrong0token", "refs/heads/main")
    assert "ghp_wrong0token" not in str(caught.value)


def test_a_redirect_is_not_followed(github: FakeGitHub) -> None:
    with pytest.raises(MovedError):
        Git().list_refs(Repository(source(github).github, "Codertocat/Elsewhere"), github.token, "refs/heads/main")
    assert len([path for path in github.git_requests if "/Elsewhere" in path]) == 1
