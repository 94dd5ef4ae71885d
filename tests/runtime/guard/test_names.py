"""Host and Origin against the deployment's names."""

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


def test_nobody_grows_the_memory_of_allowed_names() -> None:
    names = Names([])
    for port in range(1000):
        assert names.allows_host(f"localhost:{port}")
    assert len(names._known) <= 100
