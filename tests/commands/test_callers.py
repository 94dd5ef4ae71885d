"""Tests `tools` and `call` as clients of servers that want to know who calls, and with proxies in the environment."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from platform_cli.commands.callers import headers_for
from platform_cli.errors import InputError
from tests.commands.conftest import PROJECT, Run, error_of
from tests.support import Deployment

# Nobody listens there: port 9 (discard) is below the ports that programs get by themselves.
PROXIES = ("socks5://127.0.0.1:9", "socks5h://127.0.0.1:9", "socks://127.0.0.1:9", "http://127.0.0.1:9")


class Guard(http.server.BaseHTTPRequestHandler):
    """Stands in front of `server` (host:port), and wants a key of its own: 401 without one, 403 for one that may not
    call.
    """

    server_version = "guard"
    upstream = ""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        key = self.headers.get("x-key") or (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if key != "abc123":
            self.send_response(403 if key else 401)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        passed = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "x-key")}
        with closing(http.client.HTTPConnection(self.upstream)) as connection:
            connection.request("POST", self.path, body, passed)
            answer = connection.getresponse()
            content = answer.read()
        self.send_response(answer.status)
        for name in ("content-type", "mcp-session-id"):
            if value := answer.headers.get(name):
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@pytest.fixture(scope="module")
def guarded(tiny: Deployment) -> Iterator[str]:
    handler = type("Handler", (Guard,), {"upstream": tiny.url.removeprefix("http://")})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/mcp"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("key", [["--token", "abc123"], ["--header", "X-Key: abc123"]])
def test_a_key_of_the_servers_own(run: Run, guarded: str, key: list[str]) -> None:
    assert run("call", guarded, "add", "a=1", "b=2", *key).stdout == "3\n"
    assert "add" in [tool["name"] for tool in run("tools", guarded, *key, "--json").json["tools"]]


@pytest.mark.parametrize(
    ("key", "status"), [([], 401), (["--token", "5ecret"], 403), (["--header", "x-key:5ecret"], 403)]
)
def test_a_refusal_says_what_it_is_and_no_key(run: Run, guarded: str, key: list[str], status: int) -> None:
    for command in (["tools", guarded], ["call", guarded, "add", "a=1", "b=2"]):
        code, category, message, hint = error_of(run(*command, *key, "--json"))
        assert (code, category) == (1, "server")
        assert f"HTTP {status}" in message
        assert "--token" in hint
        assert "--header" in hint
        assert "5ecret" not in message + hint


def test_a_refusal_over_sse(run: Run, guarded: str) -> None:
    # The guard knows no GET; what counts here is that a stream that is refused is no traceback.
    assert error_of(run("tools", guarded.replace("/mcp", "/sse"), "--json"))[:2] == (1, "server")


def test_headers_that_no_request_can_carry_are_refused() -> None:
    for text in ("no colon 5ecret", "in valid: 5ecret", ": 5ecret", "x: 5e\ncret", "x: 5ecr\xe9t"):
        with pytest.raises(InputError) as caught:
            headers_for("http://127.0.0.1/mcp", None, [text])
        assert "ecr" not in str(caught.value) + str(caught.value.hint)
    for token in ("", "two words", "line\nend"):
        with pytest.raises(InputError):
            headers_for("http://127.0.0.1/mcp", token, [])


def test_loopback_is_reached_without_a_proxy(run: Run, tiny: Deployment) -> None:
    for proxy in PROXIES:
        env = {"ALL_PROXY": proxy, "HTTP_PROXY": proxy, "http_proxy": proxy}
        assert run("call", PROJECT, "add", "a=1", "b=2", env=env).stdout == "3\n", proxy
        assert run("tools", tiny.sse_url, env=env).code == 0, proxy


@pytest.mark.parametrize("proxy", PROXIES)
def test_a_proxy_to_elsewhere_fails_with_an_error(run: Run, proxy: str) -> None:
    # 192.0.2.0/24 is for documentation (RFC 5737): nothing is there, and nobody asks it without the proxy.
    code, category, message, hint = error_of(run("tools", "http://192.0.2.1/mcp", "--json", env={"ALL_PROXY": proxy}))
    assert (code, category) == (1, "server")
    named = "socks://" in proxy
    assert ("proxy" in message) == named
    assert ("socks5" in hint) == named
