"""Runs the commands of README and the guides from top to bottom, and compares what they print with what
stands there.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.control_plane import control_plane
from tests.aws.sandbox import machine
from tests.clients import environments
from tests.e2e.test_public_host import running_caddy
from tests.github import fake
from tests.support import ROOT, Platform, free_port, require

from .pages import run_page

GUIDES = ROOT / "docs" / "guides"


INSTALLED = ("layers", "cache")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home") / "homeport"


@pytest.fixture
def home(shared: Path) -> Iterator[Path]:
    """Returns a new home for each page, but that what the first deploy has installed serves the others."""
    yield shared
    for path in shared.iterdir():
        if path.is_file():
            path.unlink()
        elif path.name not in INSTALLED:
            shutil.rmtree(path)


@pytest.fixture
def platform(home: Path) -> Iterator[Platform]:
    running = Platform(home, path=[Path(sys.executable).parent])
    running.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    yield running
    running.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Makes a folder with the example that the guides deploy."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "examples" / "expense_tracker", tmp_path / "expense_tracker", ignore=ignored))


def test_readme(platform: Platform, folder: Path) -> None:
    run_page(ROOT / "README.md", folder, platform.environment)


@pytest.mark.whole
@pytest.mark.parametrize("page", ["deploy", "access", "observe", "console", "sign-in", "audit", "secrets"])
def test_a_guide(platform: Platform, folder: Path, page: str) -> None:
    run_page(GUIDES / f"{page}.md", folder, platform.environment)


@pytest.mark.whole
def test_push_to_deploy(platform: Platform, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "github").mkdir()
    try:
        with fake.running(tmp_path / "github") as github:
            github.name = "you/expense-tracker"
            platform.environment |= {**github.environment, **_git(github.url, github.token)}
            said = {"https://github.com": github.url, "~/.local/share/homeport": str(platform.home)}
            run_page(GUIDES / "push-to-deploy.md", folder, platform.environment, said)
            platform.stop()
    except environments.UnavailableError as error:
        require(False, f"GitHub's description and Prism: {error}")


def _git(url: str, token: str) -> dict[str, str]:
    """Sets git up as a person has it: a name, and access to the repository."""
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in PERSON.items()}
    return {
        **who,
        "GITHUB_TOKEN": token,
        "HOMEPORT_GITHUB_POLL_S": "0.5",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{url.replace('://', f'://x-access-token:{token}@')}/.insteadOf",
        "GIT_CONFIG_VALUE_0": f"{url}/",
    }


PERSON = {"NAME": "Mona", "EMAIL": "mona@example.com"}


@pytest.mark.whole
def test_team_host(platform: Platform, folder: Path, tmp_path: Path) -> None:
    domain = f"mcp.localhost:{free_port()}"
    if os.geteuid() == 0:
        # The page's platform is an ordinary user's, which says nothing of users.
        platform.run("platform", "start", "--isolate", "namespaces")
    with running_caddy(platform, tmp_path / "caddy") as authority:
        platform.environment["SSL_CERT_FILE"] = str(authority)
        said = {"mcp.example.com": domain, "~/.local/share/homeport": str(platform.home)}
        run_page(GUIDES / "team-host.md", folder, platform.environment, said)
        platform.stop()


@pytest.mark.whole
def test_lambda(home: Path, folder: Path, tmp_path: Path) -> None:
    require(os.geteuid() == 0 and shutil.which("unshare"), "the emulator's sandboxes need root and unshare")
    with control_plane(tmp_path) as plane:
        laptop = Platform(home, path=[Path(sys.executable).parent])
        laptop.environment |= plane.moto.environment
        run_page(GUIDES / "lambda.md", folder, laptop.environment, {"x86_64": machine()})
