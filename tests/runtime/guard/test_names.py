"""Tests Host and Origin against the deployment's names."""

from __future__ import annotations

import pytest

from homeport_runtime.guard.names import Names

NAMES = Names(["Tools.Example.com"])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "[::1]:8000", "tools.example.com", "TOOLS.example.com:443",
     "tools.example.com."],
)  # fmt: skip
def test_own_names_on_any_port(host: str) -> None:
    assert NAMES.allows_host(host)
    assert NAMES.allows_origin(f"https://{host}")
    assert NAMES.allows_host(host), "what was allowed once is allowed again"


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "tools.example.com.evil.example", "eviltools.example.com", "127.0.0.1.evil.example",
     "example.com", "localhost@evil.example", "[::1", "0.0.0.0", "tools.example.com:443@evil.example"],
)  # fmt: skip
def test_no_other_names(host: str | None) -> None:
    assert not NAMES.allows_host(host)
    assert not NAMES.allows_origin(f"https://{host}")


@pytest.mark.parametrize("origin", ["null", "", "localhost", "//localhost", "file://", "https://evil.example"])
def test_an_origin_is_a_url_with_an_own_name(origin: str) -> None:
    assert not NAMES.allows_origin(origin)


@pytest.mark.parametrize(
    ("name", "host"),
    [("192.168.1.20", "192.168.1.20:8080"), ("FD00::1", "[fd00:0::1]:8080"), ("raspberrypi", "RaspberryPi"),
     ("my_container", "my_container:80"), ("host.docker.internal", "host.docker.internal")],
)  # fmt: skip
def test_names_of_a_network_at_home(name: str, host: str) -> None:
    assert Names([name]).allows_host(host)
    assert not NAMES.allows_host(host)


@pytest.mark.parametrize(
    ("let_in", "origin"),
    [("https://App.example.com", "https://app.example.com"), ("null", "null"), ("file://", "file://"),
     ("app://desk", "app://desk"), ("vscode-webview://", "vscode-webview://1b9d"),
     ("chrome-extension://abc", "chrome-extension://abc"), ("http://pages.example:8080", "http://pages.example:8080")],
)  # fmt: skip
def test_a_foreign_origin_is_let_in_by_its_own_value(let_in: str, origin: str) -> None:
    names = Names([])
    assert not names.allows_origin(origin)
    names.let_in([let_in])
    assert names.allows_origin(origin)
    assert not names.allows_origin("https://app.example.com.evil.example")
    assert not names.allows_origin("http://pages.example:1")
    assert not names.allows_host("app.example.com"), "an Origin is no name of the server's"


def test_nobody_grows_the_memory_of_allowed_names() -> None:
    names = Names([])
    for port in range(1000):
        assert names.allows_host(f"localhost:{port}")
    assert len(names._known) <= 100
