"""Says what each client must see of each kind of server, wherever that is deployed with GREETING in its environment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from ..support import require
from . import environments

MODERN = ("fastmcp4", "mcp2_mcpserver", "mcp2_lowlevel", "asgi")
LEGACY = ("fastmcp2", "fastmcp3", "mcp1_fastmcp", "mcp1_lowlevel", "stdio_python", "stdio_node")
INSPECTED = ("fastmcp4", "mcp1_lowlevel", "stdio_node")

CASES = {
    "mcp1": ("http", "sse"),
    "mcp2": ("http legacy", "http auto", "http 2026-07-28", "sse legacy", "sse auto"),
    "fastmcp": ("http", "sse"),
    "langchain": ("http", "sse"),
    "ts_sdk": ("http", "sse"),
    "ts_client": ("http legacy", "http auto", "http 2026-07-28", "sse legacy", "sse auto"),
    "inspector": ("http legacy", "http auto", "http 2026-07-28", "sse legacy"),
}
GREETING = "hello"
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


def check_protocol(seen: dict[str, Any], kind: str, client: str, case: str) -> None:
    """As far as the client tells it."""
    if client in ("mcp1", "mcp2", "ts_client"):
        assert seen["protocol"] in _protocols(kind, case)


def _protocols(kind: str, case: str) -> set[str]:
    """Returns the protocols that may be negotiated. In auto mode a legacy SDK is spoken to in either era: what counts
    is that it works.
    """
    if case.endswith("2026-07-28"):
        return {"2026-07-28"}
    if case.endswith("auto"):
        return {"2026-07-28"} if kind in MODERN else {"2026-07-28", "2025-11-25"}
    return {"2025-11-25"}


def params(pairs: Iterable[tuple[str, str]], *marks: pytest.MarkDecorator) -> list[Any]:
    """Returns `(kind, client, case)` for every case of each client."""
    return [
        pytest.param(kind, client, case, id=f"{kind}-{client}-{case.replace(' ', '-')}", marks=marks)
        for kind, client in pairs
        for case in CASES[client]
    ]


def pairs(kinds: Iterable[str]) -> list[tuple[str, str]]:
    """Returns every kind with every client that meets it."""
    return [(kind, client) for kind in kinds for client in CASES if client != "inspector" or kind in INSPECTED]


def client_env(name: str) -> None:
    """Makes the environment of a client, or skips the test with the reason why it cannot be had."""
    try:
        if name in environments.REQUIREMENTS:
            environments.python(name)
        else:
            environments.node()
    except environments.UnavailableError as error:
        require(False, f"the {name} client: {error}")
