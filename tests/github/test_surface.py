"""Compares the keys that the commands about GitHub print with --json with what tests/api/surface.toml says of them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.api.surface import check_json
from tests.command_line import Command
from tests.support import ROOT, Platform

from .fake import FakeGitHub


def test_login_to_logout(github: FakeGitHub, tmp_path: Path) -> None:
    here = Platform(tmp_path / "home")
    here.environment |= {**github.environment, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    given = Command(["login", "--token", "--json"], cwd=ROOT, env=here.environment, stdin=f"{github.token}\n")
    check_json("login", json.loads(given.wait(60).stdout))
    check_json("whoami", here.run("whoami"))
    check_json("logout", here.run("logout"))


def test_a_link_from_its_beginning_to_its_end(platform: Platform, github: FakeGitHub, repository: Path) -> None:
    link = platform.run("link-repo", github.repository_url, "--poll")
    check_json("link-repo", link)
    check_json("repos", platform.run("repos"))
    check_json("unlink-repo", platform.run("unlink-repo", link["project"]))
