"""Runs one GitHub and one platform that is logged in to it, for all tests of push-to-deploy in this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import environments
from tests.command_line import Command
from tests.github import fake
from tests.github.fake import FakeGitHub, git
from tests.support import ROOT, SERVERS, Platform, require, with_packages


@pytest.fixture(scope="session")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGitHub]:
    try:
        with fake.running(tmp_path_factory.mktemp("github")) as running:
            yield running
    except environments.UnavailableError as error:
        require(False, f"GitHub's description and Prism: {error}")


@pytest.fixture(scope="session")
def platform(github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home")))
    running.environment |= {**github.environment, "HOMEPORT_GITHUB_POLL_S": "0.5"}
    running.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    log_in(running, github.token)
    running.run("platform", "start")
    yield running
    running.stop()
    # A process that ran none of the tests that link has no secret.
    hidden = [value.encode() for value in (github.token, github.secret) if value]
    for path in running.home.rglob("*"):
        if path.is_file() and path.name != "github.json" and "layers" not in path.parts:
            content = path.read_bytes()
            assert not any(value in content for value in hidden), path
    told = str([one.body for one in github.asked if not one.path.endswith("/hooks")])
    assert github.token not in told


@pytest.fixture(scope="session")
def webhook_url(platform: Platform) -> str:
    return f"{platform.run('platform', 'status')['api_url']}/github/webhook"


@pytest.fixture(autouse=True)
def every_request_is_sound(github: FakeGitHub) -> Iterator[None]:
    """Asserts that no request was refused by Prism, which compares each with GitHub's description."""
    yield
    refused = [one for one in github.asked if one.status in (400, 404, 422) and "prism" in one.detail]
    assert refused == []


@pytest.fixture
def repository(github: FakeGitHub, tmp_path: Path) -> Path:
    """Makes a clone with the server in it, pushed as the only commit of main."""
    folder = tmp_path / "repository"
    shutil.copytree(SERVERS / "mcp2_lowlevel", folder)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    address = github.url.replace("http://", f"http://x-access-token:{github.token}@")
    git(folder, "remote", "add", "origin", f"{address}/{github.name}.git")
    fake.commit(folder, "a server")
    return folder


def log_in(platform: Platform, token: str) -> None:
    command = Command(["login", "--token", "--json"], cwd=ROOT, env=platform.environment, stdin=f"{token}\n")
    done = command.wait(60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert token not in done.stdout + done.stderr
