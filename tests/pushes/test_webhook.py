"""Tests whose deliveries are read, how far, and what is answered when they cannot be kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx

from platform_cli.api.gate import WEBHOOK_PATH
from platform_cli.errors import AWSError
from platform_cli.github.webhook import MAX_BODY
from platform_cli.pushes.deliveries import Deliveries
from platform_cli.pushes.webhook import Webhook

CHUNK = b"x" * 1024**2
HOOK = 7


class Stub:
    """Knows one webhook, whatever signs its deliveries, and cannot keep anything."""

    def known(self, hook_id: int) -> list[int]:
        return [1] if hook_id == HOOK else []

    def sender(self, known: list[int], _body: bytes, _signature: str | None) -> int:
        return known[0]

    def receive(self, *_: object) -> list[str]:
        raise AWSError("the queue does not answer")


def ask(chunks: int, hook: int = HOOK, method: str = "POST") -> tuple[int, int]:
    """Returns the status, and how many of `chunks` of a megabyte were read; their length is not told."""
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(chunks):
            read += 1
            yield CHUNK

    async def answer() -> int:
        app: Any = Webhook(cast("Deliveries", Stub()))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform") as client:
            headers = {"X-GitHub-Hook-ID": str(hook), "X-GitHub-Delivery": "one"}
            return (await client.request(method, WEBHOOK_PATH, content=body(), headers=headers)).status_code

    return asyncio.run(answer()), read


def test_nobody_elses_body_is_read() -> None:
    assert ask(1, hook=HOOK + 1) == (401, 0)
    assert ask(1, method="PUT") == (401, 0)


def test_a_body_is_read_up_to_the_limit() -> None:
    most = MAX_BODY // len(CHUNK)
    assert ask(most + 10) == (413, most + 1)


def test_what_cannot_be_kept_is_not_accepted() -> None:
    assert ask(1) == (503, 1)
