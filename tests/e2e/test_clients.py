"""Tests every kind of server, deployed, with clients that we did not write: all over /mcp and /sse, in every mode they
have.

A client goes through all its cases for each kind that it meets; the tests below look at one case each.
`make test` has every kind meet the client that goes through all modes of both eras, and every client meet one kind.
`make test-all` has the other pairs; the Inspector, which starts a process for every call, meets three kinds, one of
each way of answering.
"""

from __future__ import annotations

import pytest

from tests.clients.matrix import LEGACY, MODERN, check, check_protocol, pairs, params

from .conftest import Observe

pytestmark = pytest.mark.whole

ALL = pairs((*MODERN, *LEGACY))
SOME = [(kind, client) for kind, client in ALL if client == "mcp2" or kind == "fastmcp4"]
OTHERS = [pair for pair in ALL if pair not in SOME]
KINDS_WITH_SESSIONS = ("fastmcp4", "mcp1_lowlevel", "mcp2_mcpserver")
SOME_WITH_SESSIONS = [(kind, "mcp2") for kind in KINDS_WITH_SESSIONS]
OTHERS_WITH_SESSIONS = [(kind, client) for kind in KINDS_WITH_SESSIONS for client in ("mcp1", "ts_sdk")]


@pytest.mark.parametrize(("kind", "client", "case"), [*params(SOME), *params(OTHERS, pytest.mark.whole)])
def test_client_uses_a_deployed_server(observe: Observe, kind: str, client: str, case: str) -> None:
    seen = observe(client, kind)[case]
    check(seen, client)
    check_protocol(seen, kind, client, case)


@pytest.mark.parametrize(
    ("kind", "client", "case"),
    [*params(SOME_WITH_SESSIONS), *params(OTHERS_WITH_SESSIONS, pytest.mark.whole)],
)
def test_client_uses_a_deployed_server_with_sessions(observe: Observe, kind: str, client: str, case: str) -> None:
    check(observe(client, kind, "[deployment]\nsessions = true\n")[case], client)
