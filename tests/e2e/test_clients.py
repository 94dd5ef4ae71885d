"""Tests every kind of server, deployed, with clients that we did not write: all over /mcp and /sse, in every mode they
have.

A client goes through all its cases for each kind that it meets; the tests below look at one case each.
`make test` has every kind meet the clients that go through all modes of both eras, and every client meet three kinds,
one of each way of answering: the Inspector, which starts a process for every call, meets no others. `make test-all` has
the other pairs.
"""

from __future__ import annotations

import pytest

from tests.clients.matrix import INSPECTED, LEGACY, MODERN, check, check_protocol, pairs, params

from .conftest import Observe

ALL = pairs((*MODERN, *LEGACY))
SOME = [(kind, client) for kind, client in ALL if client in ("mcp2", "ts_client") or kind in INSPECTED]
OTHERS = [pair for pair in ALL if pair not in SOME]
WITH_SESSIONS = [
    (kind, client) for kind in ("fastmcp4", "mcp1_lowlevel", "mcp2_mcpserver") for client in ("mcp1", "mcp2", "ts_sdk")
]


def look(observe: Observe, kind: str, client: str, case: str) -> None:
    seen = observe(client, kind)[case]
    check(seen, client)
    check_protocol(seen, kind, client, case)


@pytest.mark.parametrize(("kind", "client", "case"), params(SOME))
def test_client_uses_a_deployed_server(observe: Observe, kind: str, client: str, case: str) -> None:
    look(observe, kind, client, case)


@pytest.mark.whole
@pytest.mark.parametrize(("kind", "client", "case"), params(OTHERS))
def test_any_other_client_uses_a_deployed_server(observe: Observe, kind: str, client: str, case: str) -> None:
    look(observe, kind, client, case)


@pytest.mark.parametrize(("kind", "client", "case"), params(WITH_SESSIONS))
def test_client_uses_a_deployed_server_with_sessions(observe: Observe, kind: str, client: str, case: str) -> None:
    check(observe(client, kind, "[deployment]\nsessions = true\n")[case], client)
