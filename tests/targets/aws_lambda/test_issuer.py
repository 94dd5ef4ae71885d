"""Tests projects on Lambda whose callers show tokens of somebody else's authorization server."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jwt.algorithms import ECAlgorithm

from homeport_runtime.guard.auth import authenticator
from homeport_runtime.guard.issuer_file import FILE_NAME
from homeport_runtime.hosts.aws_lambda.access import ISSUER, STATE_SECRET, LambdaAccess
from homeport_runtime.hosts.aws_lambda.events import read_request
from homeport_runtime.hosts.aws_lambda.front import MARK, as_addressed
from tests.aws.control_plane import ControlPlane
from tests.aws.function_url import DOMAIN, make_event
from tests.signin.identity import LATER, Identity, jwk, running_identity
from tests.support import CommandFailedError, Platform

from .conftest import copy_project

OWN = f"https://{DOMAIN}"
NAME = "https://mcp.example.com"
METADATA = "/.well-known/oauth-protected-resource"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}
HEADERS = {"Accept": "application/json, text/event-stream", "User-Agent": "tests"}


@pytest.fixture
def identity() -> Iterator[Identity]:
    with running_identity() as running:
        yield running


@pytest.fixture
def task(identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the environment of a function with an issuer."""
    known = {"issuer": identity.url, "audience": ["api://notes"], "scope_claim": "scope", "has_scopes": True}
    keys = {"jwks_uri": f"{identity.url}/keys", "jwks": identity.keys, "scopes": ["notes:read"]}
    (tmp_path / FILE_NAME).write_text(json.dumps({**known, **keys}))
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.setenv("HOMEPORT_TOKEN_HASH", hashlib.sha256(b"project").hexdigest())
    monkeypatch.setenv("HOMEPORT_NAMES", NAME.removeprefix("https://"))
    monkeypatch.setenv(ISSUER, identity.url)
    monkeypatch.setenv(STATE_SECRET, "shared")
    return tmp_path


def allows(access: LambdaAccess, shown: str) -> bool:
    return access.allows(make_event("POST", "/mcp", {"authorization": f"Bearer {shown}"}, b"{}"))


@pytest.mark.usefixtures("task")
def test_which_tokens_a_function_believes(identity: Identity) -> None:
    access = LambdaAccess()
    good = {
        "for its URL": identity.token(f"{OWN}/mcp"),
        "for its name": identity.token(NAME),
        "for the audience": identity.token(["other", "api://notes"]),
        "the project's own": "project",
    }
    assert {name: allows(access, token) for name, token in good.items()} == dict.fromkeys(good, True)
    bad = {
        "for another": identity.token("https://other.lambda-url.us-east-1.on.aws/mcp"),
        "of another issuer": identity.token(OWN, iss="https://evil.example"),
        "expired": identity.token(OWN, exp=1),
        "of another's key": identity.token(OWN, LATER),
        "text": "a.b.c",
    }
    assert {name: allows(access, token) for name, token in bad.items()} == dict.fromkeys(bad, False)
    assert access.state_secret() == "shared"


@pytest.mark.usefixtures("task")
def test_a_new_key_is_fetched(identity: Identity) -> None:
    access = LambdaAccess()
    guard = authenticator(access.access)
    assert guard
    identity.keys.append(jwk(ECAlgorithm, LATER, "later"))
    token = identity.token(OWN, LATER, kid="later")
    assert (allows(access, token), identity.fetched) == (True, 1)
    event = make_event("POST", "/mcp", {"authorization": f"Bearer {token}"}, b"{}")
    assert guard.caller(read_request(event)[0]) is not None
    assert [allows(access, identity.token(OWN, kid=f"guessed-{number}")) for number in range(5)] == [False] * 5
    assert identity.fetched == 1, "the guard and the events share what was fetched, once a minute at most"


@pytest.mark.usefixtures("task")
def test_an_issuer_that_is_down_later(identity: Identity) -> None:
    access = LambdaAccess()
    identity.is_broken = True
    assert not allows(access, identity.token(OWN, LATER, kid="later"))
    assert allows(access, identity.token(OWN)), "it goes on with the keys that it has"


def test_a_sign_in_that_has_ended_at_a_platform(identity: Identity, task: Path) -> None:
    said = json.loads((task / FILE_NAME).read_bytes())
    (task / FILE_NAME).write_text(json.dumps({**said, "is_platform": True}))
    identity.ended = ["ended"]
    access = LambdaAccess()
    guard = authenticator(access.access)
    assert guard

    def believes(token: str) -> bool:
        event = make_event("POST", "/mcp", {"authorization": f"Bearer {token}"}, b"{}")
        return guard.caller(read_request(event)[0]) is not None

    now = int(time.time())
    assert believes(identity.token(NAME, jti="ended", iat=now)), "as of a minute ago"
    old = identity.token(NAME, jti="ended", iat=now - 61)
    assert (identity.fetched, believes(old), identity.fetched) == (0, False, 1)
    assert not allows(access, old)
    assert believes(identity.token(NAME, jti="another", iat=now - 61))
    assert identity.fetched == 1, "once a minute at most"


@pytest.mark.usefixtures("task")
def test_metadata_is_that_of_the_url_by_which_a_client_came(identity: Identity) -> None:
    access = LambdaAccess()
    guard = authenticator(access.access)
    assert guard

    def resource(**headers: str) -> Any:
        event = make_event("GET", f"{METADATA}/mcp", headers, b"")
        access.learn(event)
        assert access.front_name
        document = guard.document(as_addressed(read_request(event)[0], access.front_name))
        assert document
        assert document["authorization_servers"] == [identity.url]
        return document["resource"]

    assert resource() == f"{OWN}/mcp"
    assert resource(**{MARK.decode(): "1"}) == f"{NAME}/mcp", "behind CloudFront"


def config(identity: Identity, url: str | None = None) -> str:
    return (
        f'[auth]\nmode = "oauth"\nissuer = "{url or identity.url}"\n[scopes]\n"*" = "tools:read"\nadd = "tools:add"\n'
    )


def test_what_a_deploy_refuses(laptop: Platform, identity: Identity, tmp_path: Path) -> None:
    identity.is_broken = True
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(copy_project(tmp_path / "down", config(identity))), "--name", "down")
    assert f"the keys of {identity.url} cannot be had" in caught.value.error["message"]
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(copy_project(tmp_path / "own", '[auth]\nmode = "oauth"\n')), "--name", "own")
    assert "needs an authorization server" in caught.value.error["message"]
    assert "issuer = " in caught.value.error["hint"]


@pytest.mark.whole
def test_a_project_with_an_issuer(laptop: Platform, plane: ControlPlane, identity: Identity, tmp_path: Path) -> None:
    project = copy_project(tmp_path, config(identity))
    laptop.run("deploy", str(project), "--name", "issued")
    assert laptop.run("status", "issued", "--target", "lambda")["auth"] == "oauth"
    connected = laptop.run("connect", "issued", "--client", "claude-code", "--target", "lambda")
    assert not {"sign_in_url", "token"} & set(connected)
    assert "Authorization" not in json.dumps(connected["config"]), "the client signs in"
    url = plane.url("homeport-issued")

    def call(tool: str, token: str | None) -> httpx.Response:
        params = {"name": tool, "arguments": {"a": 1, "b": 2} if tool == "add" else {}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.post(f"{url}/mcp", json=message, headers={**HEADERS, **shown}, timeout=60)

    metadata = httpx.get(f"{url}{METADATA}/mcp", timeout=60).json()
    mcp = metadata["resource"]
    assert metadata["authorization_servers"] == [identity.url]
    assert metadata["scopes_supported"] == ["tools:read"]
    nobody = call("whoami", None)
    assert nobody.status_code == 401
    assert f'{METADATA}/mcp"' in nobody.headers["x-amzn-remapped-www-authenticate"]

    reader = identity.token(mcp, scope="tools:read")
    assert [call("whoami", reader).status_code, call("add", reader).status_code] == [200, 403]
    assert call("add", identity.token(mcp, scope="tools:add")).status_code == 200
    assert call("whoami", identity.token("https://other.example/mcp", scope="tools:read")).status_code == 401
    assert call("whoami", identity.token(mcp, scope="tools:read", exp=1)).status_code == 401

    front = plane.function("homeport-issued", "live")
    front.fresh = True
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    shown = {**HEADERS, "Authorization": f"Bearer {reader}"}
    hello = httpx.post(f"{url}/mcp", json=message, headers=shown, timeout=60)
    front.fresh = False
    assert (hello.status_code, "serverInfo" in hello.text) == (200, True), "an instance that starts with such a token"

    identity.keys.reverse()
    assert not laptop.run("deploy", str(project), "--name", "issued")["changed"], "nothing is new"
    identity.keys.append(jwk(ECAlgorithm, LATER, "later"))
    assert call("whoami", identity.token(mcp, LATER, kid="later", scope="tools:read")).status_code == 200
    identity.is_broken = True
    assert call("whoami", reader).status_code == 200
    with pytest.raises(CommandFailedError):
        laptop.run("deploy", str(project), "--name", "issued")
    assert call("whoami", reader).status_code == 200
    identity.is_broken = False
    laptop.run("destroy", "issued", "--yes")


@pytest.mark.whole
def test_a_release_goes_to_a_stage_with_its_issuer(
    laptop: Platform, plane: ControlPlane, identity: Identity, tmp_path: Path
) -> None:
    staged = "[stages.staging.environment]\nLEVEL = 'debug'\n"
    project = copy_project(tmp_path, f'[project]\nname = "led"\n{config(identity)}{staged}')
    laptop.run("deploy", str(project), "--stage", "staging")
    laptop.run("promote", "staging", "production", str(project))
    assert laptop.run("status", "led", "--target", "lambda")["auth"] == "oauth"
    url = plane.url("homeport-led")
    mcp = httpx.get(f"{url}{METADATA}/mcp", timeout=60).json()["resource"]
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}

    def status(audience: str) -> int:
        shown = {**HEADERS, "Authorization": f"Bearer {identity.token(audience, scope='tools:read')}"}
        return httpx.post(f"{url}/mcp", json=message, headers=shown, timeout=60).status_code

    assert [status(mcp), status("https://other.example/mcp")] == [200, 401]
    for name in ("led", "led-staging"):
        laptop.run("destroy", name, "--yes")
