"""Every kind of server, deployed, called by clients we did not write: all over /mcp and /sse, in every mode they have.

Each (client, kind) pair is one process that goes through all its cases; the tests below look at one case each.
The Inspector starts a process for every call, so it meets three kinds: one of each way of answering.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import GREETING, Observe

MODERN = ("fastmcp4", "mcp2_mcpserver", "mcp2_lowlevel", "asgi")
LEGACY = ("fastmcp2", "fastmcp3", "mcp1_fastmcp", "mcp1_lowlevel", "stdio_python", "stdio_node")
INSPECTED = ("fastmcp4", "mcp1_lowlevel", "stdio_node")
WITH_SESSIONS = ("fastmcp4", "mcp1_lowlevel", "mcp2_mcpserver")

CASES = {
    "mcp1": ("http", "sse"),
    "mcp2": ("http legacy", "http auto", "http 2026-07-28", "sse legacy", "sse auto"),
    "fastmcp": ("http", "sse"),
    "langchain": ("http", "sse"),
    "ts_sdk": ("http", "sse"),
    "ts_client": ("http legacy", "http auto", "http 2026-07-28", "sse legacy", "sse auto"),
    "inspector": ("http legacy", "http auto", "http 2026-07-28", "sse legacy"),
}
MATRIX = [
    pytest.param(kind, client, case, id=f"{kind}-{client}-{case.replace(' ', '-')}")
    for kind in (*MODERN, *LEGACY)
    for client, cases in CASES.items()
    if client != "inspector" or kind in INSPECTED
    for case in cases
]
SESSION_MATRIX = [
    pytest.param(kind, client, case, id=f"{kind}-{client}-{case.replace(' ', '-')}")
    for kind in WITH_SESSIONS
    for client in ("mcp1", "mcp2", "ts_sdk")
    for case in CASES[client]
]

EXPECTED = {
    "tools": ["add", "fail", "recall", "release", "remember", "slow", "whoami"],
    "add": {"text": "5", "failed": False},
    "slow": {"text": "3 steps", "failed": False},
    "progress_while_running": True,
    "recalled": True,
    "prompt": "Greet Ada warmly.",
    "resource": "theme = dark",
    "item": "item 7",
}
SEEN_BY_INSPECTOR = ("tools", "add")


def check(seen: dict[str, Any], client: str) -> None:
    assert "error" not in seen, seen["error"]
    expected = {key: EXPECTED[key] for key in SEEN_BY_INSPECTOR} if client == "inspector" else EXPECTED
    assert {key: seen[key] for key in expected} == expected
    assert seen["fail"]["failed"]
    assert "fail" in seen["fail"]["text"]
    if client == "inspector":
        return
    assert seen["whoami"].split()[1:] == [GREETING]
    if client.startswith("ts_"):
        # The TypeScript clients drop a progress that comes in the same read as the answer.
        assert seen["progress"] in ([1], [1, 2], [1, 2, 3])
    else:
        assert seen["progress"] == [1, 2, 3]


def protocols(kind: str, case: str) -> set[str]:
    """What may be negotiated. In auto mode a legacy SDK is spoken to in either era: what counts is that it works."""
    if case.endswith("2026-07-28"):
        return {"2026-07-28"}
    if case.endswith("auto"):
        return {"2026-07-28"} if kind in MODERN else {"2026-07-28", "2025-11-25"}
    return {"2025-11-25"}


@pytest.mark.parametrize(("kind", "client", "case"), MATRIX)
def test_client_uses_a_deployed_server(observe: Observe, kind: str, client: str, case: str) -> None:
    seen = observe(client, kind)[case]
    check(seen, client)
    if client in ("mcp1", "mcp2", "ts_client"):
        assert seen["protocol"] in protocols(kind, case)


@pytest.mark.parametrize(("kind", "client", "case"), SESSION_MATRIX)
def test_client_uses_a_deployed_server_with_sessions(observe: Observe, kind: str, client: str, case: str) -> None:
    check(observe(client, kind, "[deployment]\nsessions = true\n")[case], client)
