"""Tests real clients that sign in to a deployed project by themselves, and ask for more when a call needs it."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.api.surface import check_json
from tests.clients import environments
from tests.clients.matrix import client_env
from tests.support import SERVERS, CommandFailedError, Platform, with_config

from .person import Person
from .tokens import signed_in

pytestmark = pytest.mark.whole

SERVER = SERVERS / "mcp2_lowlevel"
CONFIG = """
[auth]
mode = "oauth"
[scopes]
add = "numbers:write"
"*" = "numbers:read"
"""
CLIENTS = ("mcp1", "mcp2", "ts_sdk", "ts_client")
DEADLINE_S = 120


@pytest.fixture(scope="module")
def deployed(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return platform.run(
        "deploy", str(with_config(SERVER, CONFIG, tmp_path_factory.mktemp("scoped"))), "--name", "scoped"
    )


def command(client: str, *arguments: str, finds_localhost: bool = False) -> list[str | Path]:
    """Returns the command of a client that signs in; with `finds_localhost` names below that are this machine."""
    client_env(client)
    if client.startswith("ts_"):
        node = environments.node()
        options: list[str | Path] = ["--import", node.scripts / "finds_localhost.mjs"] if finds_localhost else []
        return [node.program, *options, node.scripts / f"run_{client}_sign_in.mjs", *arguments]
    here = environments.HERE
    options = [here / "finds_localhost.py"] if finds_localhost else []
    return [environments.python(client), "-W", "ignore", *options, here / f"run_{client}_sign_in.py", *arguments]


def run_with_person(
    arguments: Sequence[str | Path], person: Person, environment: Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Runs a client, and returns the pages that it had opened, and the texts that it got."""
    pages: list[str] = []
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        timer = threading.Timer(DEADLINE_S, process.kill)
        timer.start()
        try:
            for line in process.stdout:
                said = json.loads(line)
                if "texts" in said:
                    return pages, said["texts"]
                pages.append(said["open"])
                process.stdin.write(person.sign_in(said["open"]) + "\n")
                process.stdin.flush()
            raise AssertionError(process.stderr.read()[-4000:])
        finally:
            timer.cancel()
            process.kill()


def scopes_of(page: str) -> set[str]:
    return set(parse_qs(urlsplit(page).query).get("scope", [""])[0].split()) - {"offline_access"}


@pytest.mark.parametrize("client", CLIENTS)
def test_client_signs_in_and_asks_for_more_once(platform: Platform, deployed: dict[str, Any], client: str) -> None:
    pages, texts = run_with_person(command(client, deployed["mcp_url"]), Person(platform))
    assert texts[1] == "3"
    assert texts[0] == texts[2]
    assert [scopes_of(page) for page in pages] == [{"numbers:read"}, {"numbers:read", "numbers:write"}]


@pytest.mark.parametrize("client", CLIENTS)
def test_client_signs_in_over_sse(platform: Platform, client: str, tmp_path: Path) -> None:
    folder = with_config(SERVER, '[auth]\nmode = "oauth"\n', tmp_path)
    answer = platform.run("deploy", str(folder), "--name", "streamed")
    pages, texts = run_with_person(command(client, answer["sse_url"]), Person(platform))
    assert (texts[1], len(pages)) == ("3", 1)


def asked(url: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request(method, path, None, headers)
    response = connection.getresponse()
    body = response.read()
    found = response.status, {key.lower(): value for key, value in response.getheaders()}, json.loads(body or b"null")
    connection.close()
    return found


def test_what_a_client_without_a_token_is_told(platform: Platform, deployed: dict[str, Any]) -> None:
    url, issuer = deployed["url"], platform.run("platform", "status")["api_url"]
    metadata = f"{url}/.well-known/oauth-protected-resource"
    for path, place in (("/mcp", "/mcp"), ("/sse", "/sse")):
        status, headers, _ = asked(url, path, "POST" if path == "/mcp" else "GET")
        assert status == 401
        assert headers["www-authenticate"] == f'Bearer resource_metadata="{metadata}{place}", scope="numbers:read"'
        status, headers, body = asked(url, f"/.well-known/oauth-protected-resource{place}", origin="https://x.example")
        assert (status, headers["access-control-allow-origin"]) == (200, "*")
        assert body == {
            "resource": f"{url}{place}",
            "authorization_servers": [issuer],
            "scopes_supported": ["numbers:read"],
            "bearer_methods_supported": ["header"],
        }
    # Nobody else's documents: what is not ours is not found.
    assert asked(url, "/.well-known/oauth-authorization-server")[0] == 404
    assert asked(issuer, "/v1/platform")[0] == 401


def test_link_that_connect_prints(platform: Platform, deployed: dict[str, Any]) -> None:
    answer = platform.run("connect", "scoped", "--client", "claude-code")
    assert "headers" not in answer["config"]["mcpServers"]["scoped"]
    person = Person(platform)
    person.open_link(answer["sign_in_url"])
    # This browser needs no approval, and the link is used up.
    pages, texts = run_with_person(command("mcp2", deployed["mcp_url"]), person)
    assert (texts[1], len(pages)) == ("3", 2)
    assert person.browser.get(answer["sign_in_url"]).status_code == 404


def test_users_are_listed_and_ended_at_once(platform: Platform, tmp_path: Path) -> None:
    folder = with_config(SERVER, '[auth]\nmode = "oauth"\nusers = { "*@company.com" = ["*"] }\n', tmp_path)
    answer = platform.run("deploy", str(folder), "--name", "ended")
    alice = signed_in(platform, answer["mcp_url"], "alice@company.com")
    owner = signed_in(platform, answer["mcp_url"], "owner")
    calls = {"authorization": f"Bearer {alice.access_token}"}
    assert asked(answer["url"], "/mcp", "GET", **calls)[0] == 405
    with pytest.raises(CommandFailedError) as caught:
        signed_in(platform, answer["mcp_url"], "alice@elsewhere.com")
    assert caught.value.code == 2
    listed = platform.run("users", "list", "ended")
    check_json("users list", listed)
    assert sorted(each["user"] for each in listed["users"]) == ["alice@company.com", "owner"]

    revoked = platform.run("users", "revoke", "ended", "alice@company.com")
    check_json("users revoke", revoked)
    assert revoked["ended"] == 1
    assert asked(answer["url"], "/mcp", "GET", **calls)[0] == 401
    assert alice.refresh() == (400, "invalid_grant")
    # Others have to refresh, and go on.
    assert owner.refresh() == (200, None)
    assert asked(answer["url"], "/mcp", "GET", authorization=f"Bearer {owner.access_token}")[0] == 405
    with pytest.raises(CommandFailedError) as caught:
        platform.run("users", "revoke", "ended", "alice@company.com")
    assert caught.value.code == 4

    # Another project of that name has nothing of it.
    platform.run("destroy", "ended", "--yes")
    platform.run("deploy", str(folder), "--name", "ended")
    assert owner.refresh() == (400, "invalid_grant")
    assert platform.run("users", "list", "ended")["users"] == []


def test_a_sign_in_lasts_over_a_restart_and_a_redeploy(platform: Platform, tmp_path: Path) -> None:
    folder = with_config(SERVER, '[auth]\nmode = "oauth"\n', tmp_path)
    answer = platform.run("deploy", str(folder), "--name", "lasting")
    owner = signed_in(platform, answer["mcp_url"], "owner")
    calls = {"authorization": f"Bearer {owner.access_token}"}
    platform.stop()
    platform.run("platform", "start")
    assert asked(answer["url"], "/mcp", "GET", **calls)[0] == 405
    (folder / "server.py").write_text((folder / "server.py").read_text() + "\n# changed\n")
    assert platform.run("deploy", str(folder), "--name", "lasting")["release"] == "v2"
    assert asked(answer["url"], "/mcp", "GET", **calls)[0] == 405
    assert owner.refresh() == (200, None)
    # Token mode knows nobody by sign-in, and says nothing of it.
    (folder / "fastmcp.toml").write_text('[auth]\nmode = "token"\n')
    platform.run("deploy", str(folder), "--name", "lasting")
    assert asked(answer["url"], "/mcp", "GET", **calls)[:1] == (401,)
    assert asked(answer["url"], "/.well-known/oauth-protected-resource/mcp")[0] == 404
