"""Tests the console of a running platform without a browser: who gets a key, and what a key opens."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from platform_cli.bearer import hash_of
from platform_cli.console.sessions import name_of
from tests.e2e.probing import DEADLINE_S, wait_for
from tests.support import SERVERS, CommandFailedError, Platform, with_packages

NAME = "shop"
# What the console's key must not be good for: whoever gets hold of one may look, and no more than roll back.
FORBIDDEN = (
    "POST /v1/alerts", "DELETE /v1/alerts/a1",
    "POST /v1/tokens", "DELETE /v1/tokens/laptop", "PUT /v1/domain", "POST /v1/edge", "POST /v1/platform/stop",
    "POST /v1/platform/restart", "POST /v1/platform/clean", "PUT /v1/platform/isolation", "POST /v1/console/codes",
    "POST /v1/builds", "POST /v1/github/links", "DELETE /v1/github/links/shop", "POST /v1/inspections",
    "POST /v1/projects/shop/releases", "DELETE /v1/projects/shop", "POST /v1/projects/shop/token",
    "PUT /v1/projects/shop/secrets", "DELETE /v1/projects/shop/secrets/KEY", "POST /v1/projects/shop/tokens",
    "POST /v1/projects/shop/sign-in-link", "GET /v1/sign-ins/BCDF-GHJK", "GET /openapi.json",
    "GET /v1/projects/a%2Fb/token",
)  # fmt: skip
ALLOWED = (
    "/v1/platform", "/v1/alerts", "/v1/projects", "/v1/tokens", "/v1/projects/shop", "/v1/projects/shop/releases",
    "/v1/projects/shop/calls", "/v1/projects/shop/metrics", "/v1/projects/shop/logs?tail=10",
    "/v1/projects/shop/errors",
    "/v1/projects/shop/secrets", "/v1/projects/shop/tokens", "/v1/projects/shop/users", "/v1/projects/shop/audit",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Console:
    platform: Platform
    port: int

    def ask(self, what: str, key: str | None = None, body: object = None, **headers: str) -> Answer:
        method, path = what.split(" ", 1)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        shown = {"Authorization": f"Bearer {key}"} if key else {}
        payload = json.dumps(body) if body is not None else None
        connection.request(method, path, payload, {**shown, "Content-Type": "application/json", **headers})
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read().decode())
        connection.close()
        return answer

    def code(self, *options: str) -> str:
        link = self.platform.run(*options, "console")["url"]
        base, _, code = link.partition("/console#login=")
        assert base == f"http://127.0.0.1:{self.port}"
        return str(code)

    def log_in(self) -> str:
        answer = self.ask("POST /console/login", body={"code": self.code()})
        key: str = json.loads(answer.text)["key"]
        return key


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    platform = Platform(with_packages(tmp_path_factory.mktemp("home")))
    platform.deploy(SERVERS / "mcp2_lowlevel", name=NAME)
    yield Console(platform, urlsplit(platform.run("platform", "status")["api_url"]).port or 0)
    platform.stop()


@pytest.fixture(scope="module")
def key(console: Console) -> str:
    return console.log_in()


def test_a_code_serves_once(console: Console) -> None:
    code = console.code()
    assert console.ask("POST /console/login", body={"code": code}).status == 200
    assert console.ask("POST /console/login", body={"code": code}).status == 401
    assert console.ask("POST /console/login", body={"code": code[:-1] + "x"}).status == 401


def test_a_code_comes_over_a_platform_token_too(console: Console) -> None:
    url = f"http://127.0.0.1:{console.port}"
    token = console.platform.run("platform", "token", "create", "laptop")["token"]
    console.platform.environment["HOMEPORT_TOKEN"] = token
    try:
        code = console.code("--platform", url)
    finally:
        del console.platform.environment["HOMEPORT_TOKEN"]
    assert console.ask("POST /console/login", body={"code": code}).status == 200
    # A platform's token is no key of the console, and nobody gets a code without either.
    assert console.ask("GET /console/f/", token).status == 401
    assert console.ask("POST /v1/console/codes").status == 401


@pytest.mark.parametrize("path", ALLOWED)
def test_a_key_looks(console: Console, key: str, path: str) -> None:
    answer = console.ask(f"GET {path}", key)
    assert answer.status == 200, answer.text
    assert console.ask(f"GET {path}").status == 401


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_key_changes_nothing_else(console: Console, key: str, what: str) -> None:
    answer = console.ask(what, key, body={})
    assert answer.status == 403, answer.text
    assert "command line" in answer.text


@pytest.mark.parametrize("page", ["", "calls", "logs", "errors", "releases", "access", "audit", "secrets"])
def test_pages_of_a_project(console: Console, key: str, page: str) -> None:
    answer = console.ask(f"GET /console/f/projects/{NAME}/{page}".rstrip("/"), key)
    assert (answer.status, NAME in answer.text) == (200, True), answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::2]", ""])
def test_another_host_is_misdirected(console: Console, key: str, host: str) -> None:
    for what in ("GET /console", "GET /console/f/", "POST /console/login", "GET /v1/projects"):
        assert console.ask(what, key, Host=host).status == 421


def test_no_answer_sets_a_cookie_or_lets_other_origins_in(console: Console, key: str) -> None:
    for what in ("GET /console", "GET /console/f/", "OPTIONS /console/f/", "OPTIONS /v1/projects", "GET /v1/projects"):
        headers = console.ask(what, key, Origin="http://127.0.0.1:1").headers
        assert not {"set-cookie", "access-control-allow-origin"} & {name.lower() for name in headers}


def test_a_page_that_is_asked_for_while_a_project_is_called(console: Console, key: str) -> None:
    console.platform.run("call", NAME, "whoami")

    def called() -> str | None:
        text = console.ask(f"GET /console/f/projects/{NAME}/calls?tool=whoami", key).text
        return text if f"/console/projects/{NAME}/calls/" in text else None

    request = wait_for(called).partition(f"/console/projects/{NAME}/calls/")[2].partition('"')[0]
    assert "whoami" in wait_for(
        lambda: (
            found.text
            if "<li" in (found := console.ask(f"GET /console/f/projects/{NAME}/calls/{request}", key)).text
            else None
        )
    )


def test_a_browser_ends_another(console: Console, key: str) -> None:
    other = console.log_in()
    assert console.ask(f"DELETE /v1/tokens/{name_of(hash_of(other))}", key).status == 200
    assert console.ask("GET /console/f/", other).status == 401
    assert console.ask("GET /console/f/", key).status == 200


def test_a_live_log_ends_with_its_key(console: Console) -> None:
    key = console.log_in()
    name = name_of(hash_of(key))
    listed = {each["name"]: each["kind"] for each in console.platform.run("platform", "token", "list")["tokens"]}
    assert listed[name] == "console"
    connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=DEADLINE_S)
    path = f"/v1/projects/{NAME}/logs?tail=5&follow=true&text=TOOLS/call"
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    response = connection.getresponse()
    console.platform.run("call", NAME, "whoami")
    record = json.loads(response.readline())
    assert record["message"].startswith("tools/call")
    console.platform.run("platform", "token", "revoke", name)
    # What was on its way is read, and then it ends in good order.
    while response.readline():
        pass
    assert console.ask("GET /v1/projects", key).status == 401
    assert console.ask("GET /console/f/", key).status == 401
    with pytest.raises(CommandFailedError):
        console.platform.run("platform", "token", "revoke", name)
    connection.close()
