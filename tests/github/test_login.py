"""Tests login, logout, whoami, and the device flow."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from platform_cli.errors import GitHubError
from platform_cli.github.login import log_in
from platform_cli.github.repository import GitHub
from tests.github.conftest import log_in as log_in_by_command
from tests.github.fake import FakeGitHub
from tests.support import CommandFailedError, Platform

DEVICE = {
    "device_code": "3584d83530557fdd1f46af8289938c8ef79f9dc5",
    "user_code": "WDJB-MJHT",
    "verification_uri": "https://github.com/login/device",
    "expires_in": 900,
    "interval": 5,
}


@contextmanager
def device_server(*answers: Mapping[str, object]) -> Iterator[tuple[GitHub, list[dict[str, list[str]]]]]:
    """Answers as https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps has it."""
    asked: list[dict[str, list[str]]] = []
    waiting = iter([DEVICE, *answers])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            body = json.dumps(next(waiting)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield GitHub(url, url), asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_device_flow_asks_as_slowly_as_it_is_told() -> None:
    pauses: list[float] = []
    shown: list[tuple[str, str]] = []
    pending, slower = {"error": "authorization_pending"}, {"error": "slow_down", "interval": 10}
    with device_server(pending, slower, {"access_token": "gho_1"}) as (github, asked):
        token = log_in(github, "Iv1.client", lambda *what: shown.append(what), pauses.append)
    assert (token, shown, pauses) == ("gho_1", [(DEVICE["verification_uri"], "WDJB-MJHT")], [5.0, 5.0, 10.0])
    assert asked[0] == {"client_id": ["Iv1.client"], "scope": ["repo admin:repo_hook"]}
    assert asked[1]["device_code"] == [DEVICE["device_code"]]


@pytest.mark.parametrize("reason", ["expired_token", "access_denied", "device_flow_disabled"])
def test_a_device_flow_that_ends_without_a_token(reason: str) -> None:
    with device_server({"error": reason}) as (github, _), pytest.raises(GitHubError):
        log_in(github, "Iv1.client", lambda *_: None, lambda _: None)


def test_an_installed_gh_is_asked_for_its_token(github: FakeGitHub, tmp_path: Path) -> None:
    host = github.url.partition("//")[2]
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\n[ "$*" = "auth token --hostname {host}" ] && echo "{github.token}"\n')
    gh.chmod(0o755)
    other = Platform(tmp_path / "home", path=[gh.parent])
    other.environment |= {**github.environment, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    assert other.run("login")["login"] == "octocat"
    assert other.run("whoami")["login"] == "octocat"
    gh.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(CommandFailedError, match="HOMEPORT_GITHUB_CLIENT_ID"):
        other.run("login")


# Stands for the keychain, whose class is what says that a keyring keeps secrets.
KEYRING = """
import json, os, pathlib
from keyring.backends import macOS

class Keyring(macOS.Keyring):
    priority = 5
    file = pathlib.Path(os.environ["KEPT"])

    def _read(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def get_password(self, service, username):
        return self._read().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self.file.write_text(json.dumps({**self._read(), f"{service} {username}": password}))
"""


def test_the_token_is_in_the_keyring_where_there_is_one(github: FakeGitHub, tmp_path: Path) -> None:
    (tmp_path / "kept_keyring.py").write_text(KEYRING)
    kept = tmp_path / "kept.json"
    other = Platform(tmp_path / "home")
    search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    other.environment |= {"PYTHONPATH": search, "PYTHON_KEYRING_BACKEND": "kept_keyring.Keyring", "KEPT": str(kept)}
    other.environment |= github.environment
    log_in_by_command(other, github.token)
    assert github.token in kept.read_text()
    assert other.run("whoami")["login"] == "octocat"
    holding = [path for path in other.home.rglob("*") if path.is_file() and github.token in path.read_text()]
    assert holding == []
    assert other.run("logout")["logged_out"] is True
    assert github.token not in kept.read_text()


def test_who_is_logged_in(platform: Platform, github: FakeGitHub, tmp_path: Path) -> None:
    assert platform.run("whoami")["login"] == "octocat"
    kept = platform.home / "github.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    other = Platform(tmp_path / "home")
    other.environment |= github.environment
    with pytest.raises(CommandFailedError, match="homeport login") as failed:
        other.run("whoami")
    assert failed.value.code == 2
    with pytest.raises(CommandFailedError, match="HOMEPORT_GITHUB_CLIENT_ID"):
        other.run("login")
    assert other.run("logout")["logged_out"] is False
