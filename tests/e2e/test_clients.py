"""Every kind of server, deployed, called by clients we did not write: all over /mcp and /sse, in every mode they have.

A client goes through all its cases for each kind that it meets; the tests below look at one case each.
The Inspector starts a process for every call, so it meets three kinds: one of each way of answering.
"""

from __future__ import annotations

import pytest

from tests.clients.matrix import LEGACY, MODERN, check, check_protocol, pairs, params

from .conftest import Observe

WITH_SESSIONS = [
    (kind, client) for kind in ("fastmcp4", "mcp1_lowlevel", "mcp2_mcpserver") for client in ("mcp1", "mcp2", "ts_sdk")
]


@pytest.mark.parametrize(("kind", "client", "case"), params(pairs((*MODERN, *LEGACY))))
def test_client_uses_a_deployed_server(observe: Observe, kind: str, client: str, case: str) -> None:
    seen = observe(client, kind)[case]
    check(seen, client)
    check_protocol(seen, kind, client, case)


@pytest.mark.parametrize(("kind", "client", "case"), params(WITH_SESSIONS))
def test_client_uses_a_deployed_server_with_sessions(observe: Observe, kind: str, client: str, case: str) -> None:
    check(observe(client, kind, "[deployment]\nsessions = true\n")[case], client)
