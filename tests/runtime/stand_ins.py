"""Servers of no SDK's, for what stands in front of every server: they answer as a test has them answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from homeport_runtime.asgi import ASGIApp, Receive, Scope, Send, send_json


class StandIn:
    """Is an adapter around apps of a test's own; `learned` are the lists of tools that it was told."""

    def __init__(
        self, http: ASGIApp, *, kind: str = "stand-in", stateless: ASGIApp | None = None, sse: ASGIApp | None = None
    ) -> None:
        self.http = http
        self.kind = kind
        self.stateless = stateless
        self.sse = sse
        self.learned: list[list[str]] = []
        self.lives = 0

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        self.lives += 1
        yield
        self.lives -= 1

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self.learned.append([tool["name"] for tool in tools])


@dataclass
class Recorder:
    """Is an app that answers every request with its name, and keeps what it was asked."""

    name: str
    status: int = 200
    asked: list[Scope] = field(default_factory=list)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked.append(scope)
        await send_json(send, self.status, {"by": self.name, "path": scope["path"]})
