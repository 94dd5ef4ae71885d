"""Tests the answer to a call that a worker cannot wait for any longer."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from homeport_runtime.asgi import Message
from homeport_runtime.hosts.last_words import last_answer
from homeport_runtime.protocol.messages import MESSAGE


def cycle(
    sent: list[Message], message: object, *, started: bool = False, over: bool = False, agent: bytes = b"node"
) -> Any:
    async def send(part: Message) -> None:
        sent.append(part)

    scope: dict[str, Any] = {"headers": [(b"user-agent", agent)]}
    if message is not None:
        scope[MESSAGE] = message
    return SimpleNamespace(scope=scope, send=send, response_started=started, response_complete=over, disconnected=False)


@pytest.mark.parametrize("started", [False, True])
def test_a_call_without_an_answer_gets_one_that_may_be_tried_again(*, started: bool) -> None:
    sent: list[Message] = []
    answer = last_answer(cycle(sent, {"id": 7, "method": "tools/call"}, started=started))
    assert answer is not None
    asyncio.run(_wait(answer))
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"][started:]
    error = json.loads(sent[-1]["body"].split(b"data: ")[-1])
    assert (error["id"], error["error"]["code"]) == (7, -32000)
    assert (error["error"]["data"]["reason"], error["error"]["data"]["retryable"]) == ("draining", True)


@pytest.mark.parametrize(("agent", "status"), [(b"node", 503), (b"python-httpx/0.28.1", 200)])
def test_its_status_ends_no_session(agent: bytes, status: int) -> None:
    """A client of mcp 1 loses its session with any HTTP error."""
    sent: list[Message] = []
    answer = last_answer(cycle(sent, {"id": 7, "method": "tools/call"}, agent=agent))
    assert answer is not None
    asyncio.run(_wait(answer))
    assert sent[0]["status"] == status


async def _wait(answer: Any) -> None:
    await answer


def test_what_cannot_be_answered() -> None:
    for nothing in (
        None,
        cycle([], {"id": 7}, over=True),
        cycle([], None),
        cycle([], {"method": "notifications/cancelled"}),
    ):
        assert last_answer(nothing) is None
