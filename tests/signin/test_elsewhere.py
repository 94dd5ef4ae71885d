"""Tests servers that run elsewhere, in images, and whose callers sign in at a platform: with real clients."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from platform_cli.config.image_reference import parse_reference
from platform_cli.images.push import push_image
from tests.api.surface import check_json
from tests.e2e.probing import wait_for
from tests.images.bases import tiny_base
from tests.images.registries import registry
from tests.support import SERVERS, CommandFailedError, Platform, free_port, with_config, with_packages

from .person import Person
from .test_clients import asked, command, run_with_person, scopes_of
from .tokens import signed_in
from .unpacked import running_image, unpack

pytestmark = pytest.mark.whole

SERVER = SERVERS / "mcp2_lowlevel"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
CONFIG = """
[project]
name = "away"
[deployment.container]
base = "{base}"
[auth]
mode = "oauth"
issuer = "{issuer}"
users = {{ "*@company.com" = ["numbers:read"] }}
[scopes]
add = "numbers:write"
"*" = "numbers:read"
"""


@dataclass(frozen=True)
class Away:
    """Is a server in an image that runs at `url`, whose callers sign in at `platform`."""

    platform: Platform
    project: Path
    root: Path
    url: str
    name: str


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home")))
    running.run("platform", "start")
    yield running
    running.stop()


def issuer_of(platform: Platform) -> str:
    return platform.api.platform()["api_url"] or ""


@pytest.fixture(scope="module")
def away(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Away]:
    folder, port = tmp_path_factory.mktemp("away"), free_port()
    url = f"http://127.0.0.1:{port}"
    with registry(tmp_path_factory.mktemp("registry")) as running:
        base = f"{running.address}/base/python:1"
        image, blobs = tiny_base(folder, environment=["PATH=/usr/bin", f"PYTHON_VERSION={PYTHON}.1"])
        push_image(image, parse_reference(base), blobs)
        project = with_config(SERVER, CONFIG.format(base=base, issuer=issuer_of(platform)), folder)
        platform.run("image", str(project), "--output", str(folder / "layout"))
    added = platform.run("platform", "resource", "add", str(project), "--url", url)
    check_json("platform resource add", added)
    root = unpack(folder / "layout", folder / "root")
    with running_image(root, port, HOMEPORT_URLS=url):
        yield Away(platform, project, root, url, added["name"])


@pytest.mark.parametrize("client", ["mcp1", "mcp2", "ts_sdk", "ts_client"])
def test_a_client_signs_in_at_the_platform(away: Away, client: str) -> None:
    pages, texts = run_with_person(command(client, f"{away.url}/mcp"), Person(away.platform))
    assert texts[1] == "3"
    assert [scopes_of(page) for page in pages] == [{"numbers:read"}, {"numbers:read", "numbers:write"}]
    assert all(page.startswith(f"{issuer_of(away.platform)}/authorize?") for page in pages)


def test_what_the_image_says_and_the_platform_signs(away: Away) -> None:
    issuer = issuer_of(away.platform)
    document = asked(away.url, "/.well-known/oauth-protected-resource/mcp")[2]
    assert (document["resource"], document["authorization_servers"]) == (f"{away.url}/mcp", [issuer])
    metadata = httpx2.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=60).json()
    keys = httpx2.get(metadata["jwks_uri"], timeout=60).json()["keys"]
    token = signed_in(away.platform, document["resource"], "alice@company.com", "numbers:read numbers:write")
    head = jwt.get_unverified_header(token.access_token)
    assert (head["alg"], head["typ"]) == ("ES256", "at+jwt")
    (key,) = [each for each in keys if each["kid"] == head["kid"]]
    assert not {"d", "k"} & set(key), "the private half stays there"
    claims = jwt.decode(
        token.access_token, jwt.PyJWK(key), algorithms=["ES256"], audience=document["resource"], issuer=issuer
    )
    # What [auth.users] allows, of what was asked for.
    assert (claims["sub"], claims["scope"]) == ("alice@company.com", "numbers:read")
    listed = away.platform.run("users", "list", away.name)
    assert ("alice@company.com", ["numbers:read"]) in [(each["user"], each["scopes"]) for each in listed["users"]]
    assert away.platform.run("users", "revoke", away.name, "alice@company.com")["ended"] == 1
    assert token.refresh() == (400, "invalid_grant")


def test_tokens_are_for_one_audience(away: Away, tmp_path: Path) -> None:
    here = away.platform.run("deploy", str(with_config(SERVER, '[auth]\nmode = "oauth"\n', tmp_path)), "--name", "here")
    for_here = signed_in(away.platform, here["mcp_url"], "owner").access_token
    for_away = signed_in(away.platform, f"{away.url}/mcp", "owner").access_token

    def status(url: str, token: str) -> int:
        return asked(url, "/mcp", "GET", authorization=f"Bearer {token}")[0]

    # Only callers hear that there is no GET.
    assert (status(here["url"], for_here), status(away.url, for_away)) == (405, 405)
    assert (status(here["url"], for_away), status(away.url, for_here)) == (401, 401)
    assert status(away.url, forged(for_away)) == 401


def forged(token: str) -> str:
    """Returns a token with the same head and other claims, under the same signature."""
    head, _, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    return ".".join([head, jwt.encode({**claims, "sub": "eve"}, "k" * 32).split(".")[1], signature])


def test_nobody_gets_a_token_for_what_is_not_registered(away: Away) -> None:
    issuer = issuer_of(away.platform)
    asked_for = {"response_type": "code", "redirect_uri": "http://localhost:1/x", "code_challenge": "c" * 43}
    client = httpx2.post(
        f"{issuer}/register", json={"client_name": "x", "redirect_uris": ["http://localhost:1/x"]}, timeout=60
    ).json()["client_id"]
    for resource in ("https://elsewhere.example/mcp", f"{away.url}0/mcp", f"{away.url}/other"):
        query = {**asked_for, "client_id": client, "code_challenge_method": "S256", "resource": resource}
        answer = httpx2.get(f"{issuer}/authorize", params=query, timeout=60)
        assert "error=invalid_target" in answer.headers["location"], resource


def test_the_platform_hears_of_a_refused_call(away: Away) -> None:
    bob = signed_in(away.platform, f"{away.url}/mcp", "bob@company.com")
    assert bob.refresh() == (200, None)
    params = {"name": "add", "arguments": {"a": 1, "b": 2}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"accept": "application/json, text/event-stream", "authorization": f"Bearer {bob.access_token}"}
    answer = httpx2.post(f"{away.url}/mcp", json=message, headers=headers, timeout=60)
    assert (answer.status_code, "insufficient_scope" in answer.headers["www-authenticate"]) == (403, True)
    assert bob.refresh() == (400, "invalid_grant")
    assert bob.refresh() == (200, None)


def test_a_sign_in_that_was_ended_is_over_elsewhere(away: Away, tmp_path: Path) -> None:
    port = free_port()
    root, url = unpack(away.project.parent / "layout", tmp_path / "root"), f"http://127.0.0.1:{port}"
    name = away.platform.run("platform", "resource", "add", str(away.project), "--url", url)["name"]
    carol, dave = (signed_in(away.platform, f"{url}/mcp", f"{each}@company.com").access_token for each in "cd")

    def status(token: str) -> int:
        return asked(url, "/mcp", "GET", authorization=f"Bearer {token}")[0]

    with running_image(root, port, HOMEPORT_URLS=url):
        assert [status(carol), status(dave)] == [405, 405]
        away.platform.run("users", "revoke", name, "c@company.com")
    # It hears within a minute, and when it starts.
    with running_image(root, port, HOMEPORT_URLS=url):
        wait_for(lambda: status(carol) == 401)
        assert status(dave) == 405
    away.platform.run("platform", "resource", "remove", name)
    with running_image(root, port, HOMEPORT_URLS=url):
        wait_for(lambda: status(dave) == 401)


def test_new_keys_reach_the_image(away: Away, tmp_path: Path) -> None:
    """An image that was made before a key is fetches that when it starts."""
    port = free_port()
    root, url = tmp_path / "root", f"http://127.0.0.1:{port}"
    layout = away.project.parent / "layout"
    stale = unpack(layout, root) / "opt/homeport/bundle/issuer.json"
    said = json.loads(stale.read_bytes())
    stale.write_text(json.dumps({**said, "jwks": []}))
    added = away.platform.run("platform", "resource", "add", str(away.project), "--url", url)
    with running_image(root, port, HOMEPORT_URLS=url):
        token = signed_in(away.platform, f"{url}/mcp", "owner").access_token
        wait_for(lambda: asked(url, "/mcp", "GET", authorization=f"Bearer {token}")[0] == 405)
    assert added["name"] == f"away@127.0.0.1:{port}"
    listed = away.platform.run("platform", "resource", "list")
    check_json("platform resource list", listed)
    assert {each["name"] for each in listed["resources"]} == {away.name, added["name"]}
    check_json("platform resource remove", away.platform.run("platform", "resource", "remove", added["name"]))
    with pytest.raises(CommandFailedError) as caught:
        away.platform.run("platform", "resource", "remove", added["name"])
    assert caught.value.code == 4


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://notes.example.com", "readable for everyone on the way"),
        ("https://notes.example.com/mcp", "is not the URL of a server"),
        ("https://user@notes.example.com", "is not the URL of a server"),
    ],
)
def test_what_cannot_be_registered(away: Away, url: str, told: str) -> None:
    with pytest.raises(CommandFailedError) as caught:
        away.platform.run("platform", "resource", "add", str(away.project), "--url", url)
    assert told in caught.value.error["message"]


def test_an_image_that_does_not_know_its_url_does_not_start(away: Away, tmp_path: Path) -> None:
    root = unpack(away.project.parent / "layout", tmp_path / "root")
    with pytest.raises(AssertionError, match="HOMEPORT_URLS"), running_image(root, free_port()):
        pass


def test_users_of_somebody_elses_server_are_its_own_affair(platform: Platform, tmp_path: Path) -> None:
    text = '[auth]\nmode = "oauth"\nissuer = "https://id.example.com"\nusers = { a = ["*"] }\n'
    with pytest.raises(CommandFailedError) as caught:
        platform.run(
            "platform", "resource", "add", str(with_config(SERVER, text, tmp_path)), "--url", "https://x.example"
        )
    said: Any = caught.value.error
    assert (caught.value.code, "decides who may" in said["message"]) == (2, True)
