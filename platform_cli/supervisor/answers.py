"""Keeps what a worker answers to orders until somebody has waited for it."""

from __future__ import annotations

import asyncio

from .messages import Answer

# The number of answers that are kept; only one is ever waited for.
MAX_ANSWERS = 8
# What the supervisor itself notes when there will be no more.
GONE = Answer("gone", {})
FAILED = "failed"


class Answers:
    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Answer] = asyncio.Queue()

    def note(self, answer: Answer) -> None:
        """Keeps an answer, unless too many wait already."""
        if self._waiting.qsize() < MAX_ANSWERS:
            self._waiting.put_nowait(answer)

    def end(self) -> None:
        """Notes that the worker will not answer any more."""
        self._waiting.put_nowait(GONE)

    async def next(self, event: str) -> Answer:
        """Returns the next answer that is `event`, or that says that it will not come: FAILED, or GONE."""
        while (answer := await self._waiting.get()).event not in (event, FAILED, GONE.event):
            pass
        return answer
