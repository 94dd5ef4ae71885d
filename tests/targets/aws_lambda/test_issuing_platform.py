"""Tests projects on Lambda whose callers sign in at a homeport platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from platform_cli.home import Home
from platform_cli.platform_client.connections import keep_token
from tests.aws.control_plane import ControlPlane
from tests.command_line import Command
from tests.signin.tokens import signed_in
from tests.support import CommandFailedError, Platform

from .conftest import copy_project
from .test_issuer import HEADERS, METADATA, OWN

pytestmark = pytest.mark.whole


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Platform]:
    """Runs a platform that hosts nothing."""
    running = Platform(tmp_path / "platform")
    running.run("platform", "start")
    yield running
    running.stop()


def test_a_function_whose_callers_sign_in_at_a_platform(
    laptop: Platform, plane: ControlPlane, issuer: Platform, tmp_path: Path
) -> None:
    url = issuer.api.platform()["api_url"] or ""
    auth = f'[auth]\nmode = "oauth"\nissuer = "{url}"\nusers = {{ "*@company.com" = ["tools:read"] }}\n'
    scopes = '[scopes]\n"*" = "tools:read"\nadd = "tools:add"\n'
    project = copy_project(tmp_path, auth + scopes)
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(project), "--name", "signed")
    assert f"homeport platform login {url}" in caught.value.error["hint"], "this machine may not register it there"

    keep_token(url, issuer.run("platform", "token", "create", "laptop")["token"], Home(laptop.home))
    deployed = laptop.run("deploy", str(project), "--name", "signed")
    assert deployed["auth"] == "oauth"
    (resource,) = issuer.run("platform", "resource", "list")["resources"]
    assert resource["name"] == f"signed@{deployed['url'].partition('://')[2]}"
    assert resource["scopes"] == ["tools:add", "tools:read"]

    place = plane.url("homeport-signed")
    mcp = httpx.get(f"{place}{METADATA}/mcp", timeout=60).json()["resource"]
    # The emulator's function has another name than the one that AWS would have told the deploy.
    added = laptop.run("platform", "resource", "add", str(project), "--name", "signed", "--url", OWN)

    def call(tool: str, token: str) -> int:
        params = {"name": tool, "arguments": {"a": 1, "b": 2} if tool == "add" else {}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        shown = {**HEADERS, "Authorization": f"Bearer {token}"}
        return httpx.post(f"{place}/mcp", json=message, headers=shown, timeout=60).status_code

    alice = signed_in(issuer, mcp, "alice@company.com", "tools:read tools:add")
    assert [call("whoami", alice.access_token), call("add", alice.access_token)] == [200, 403], "as [auth.users] says"
    assert alice.refresh() == (400, "invalid_grant"), "the platform has heard of it when the function answers"
    owner = signed_in(issuer, mcp, "owner", "tools:read tools:add")
    assert call("add", owner.access_token) == 200
    with pytest.raises(CommandFailedError):
        signed_in(issuer, mcp, "eve@elsewhere.com")

    assert not laptop.run("deploy", str(project), "--name", "signed")["changed"], "the same keys are nothing new"
    assert resource in issuer.run("platform", "resource", "list")["resources"]
    assert alice.refresh() == (200, None)
    issuer.run("platform", "resource", "remove", added["name"])
    assert alice.refresh() == (400, "invalid_grant")
    assert call("whoami", alice.access_token) == 200, "for a minute"
    done = Command(["destroy", "signed", "--yes", "--json"], cwd=project, env=laptop.environment).wait(120)
    assert done.returncode == 0, done.stderr
    assert issuer.run("platform", "resource", "list")["resources"] == []
