"""Tests from which address a request comes: what a proxy names is believed of the platform's own alone."""

from __future__ import annotations

import pytest

from homeport_runtime.asgi import first_headers
from homeport_runtime.guard.address import address_of
from homeport_runtime.guard.names import Names

NAMES = Names(["mcp.example.com"])
PUBLIC, LOCAL = "mcp.example.com", "127.0.0.1:8400"
FORGED = "203.0.113.9, 192.0.2.7"


@pytest.mark.parametrize(
    ("client", "host", "forwarded", "address"),
    [
        (("127.0.0.1", 40000), PUBLIC, [FORGED], "192.0.2.7"),
        (("::1", 40000), PUBLIC, ["192.0.2.7"], "192.0.2.7"),
        (("127.0.0.1", 40000), PUBLIC, ["203.0.113.9", "192.0.2.7"], "192.0.2.7"),
        # As uvicorn has it then.
        (("192.0.2.7", 0), PUBLIC, [FORGED], "192.0.2.7"),
        (("192.0.2.7", 0), LOCAL, [FORGED], "127.0.0.1"),
        (("127.0.0.1", 40000), LOCAL, [FORGED], "127.0.0.1"),
        (("127.0.0.1", 40000), PUBLIC, [], "127.0.0.1"),
        # Nothing of the platform stands between.
        (("198.51.100.4", 40000), PUBLIC, [FORGED], "198.51.100.4"),
        (("198.51.100.4", 40000), PUBLIC, [], "198.51.100.4"),
        (None, PUBLIC, [FORGED], None),
    ],
)
def test_who_is_believed(client: tuple[str, int] | None, host: str, forwarded: list[str], address: str | None) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope = {"client": client, "headers": [(b"host", host.encode()), *headers]}
    assert address_of(scope, first_headers(scope), NAMES) == address


def test_what_a_proxy_names_is_bounded() -> None:
    headers = [(b"host", PUBLIC.encode()), (b"x-forwarded-for", b"\x1b[2J" + b"x" * 999)]
    found = address_of({"client": ("127.0.0.1", 1), "headers": headers}, dict(headers), NAMES)
    assert found is not None
    assert found.isprintable()
    assert len(found) <= 64
