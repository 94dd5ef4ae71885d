"""Passes messages of legacy HTTP+SSE between a project's workers (homeport_runtime.relay.workers)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from homeport_runtime.relay.workers import ANSWER_S, TAKE_S

from .messages import Relay, Relayed
from .worker import Worker

# The number of unanswered messages that one worker may have.
MAX_OPEN = 256


@dataclass(slots=True)
class _Question:
    """Is a message of `asker`, whose session one of the workers `asked` may have."""

    asker: Worker
    number: int
    asked: set[Worker]


class Relays:
    def __init__(self) -> None:
        self._questions: dict[int, _Question] = {}
        self._next = 0

    def handle(self, worker: Worker, message: Relay | Relayed, others: Sequence[Worker]) -> None:
        """Passes a message to all other workers, and returns to its sender whether one of them has taken it."""
        if isinstance(message, Relay):
            self._ask(worker, message, others)
        else:
            self._settle(message.number, worker, taken=message.taken)

    def ended(self, worker: Worker) -> None:
        """Counts a worker that has ended as one that does not have the session."""
        for number in list(self._questions):
            self._settle(number, worker, taken=False)

    def _ask(self, worker: Worker, message: Relay, others: Sequence[Worker]) -> None:
        waiting = sum(question.asker is worker for question in self._questions.values())
        if not others or waiting >= MAX_OPEN:
            worker.tell(do="relayed", number=message.number, taken=False)
            return
        self._next += 1
        number = self._next
        self._questions[number] = _Question(worker, message.number, set(others))
        # All processes of a machine share this clock.
        asked = {"query": message.query, "headers": message.headers, "body": message.body}
        until = time.monotonic() + TAKE_S
        for other in others:
            other.tell(do="relay", number=number, until=until, **asked)
        # The sender does not wait any longer.
        asyncio.get_running_loop().call_later(ANSWER_S, self._questions.pop, number, None)

    def _settle(self, number: int, worker: Worker, *, taken: bool) -> None:
        question = self._questions.get(number)
        if question is None or worker not in question.asked:
            return
        question.asked.discard(worker)
        if taken or not question.asked:
            del self._questions[number]
            question.asker.tell(do="relayed", number=question.number, taken=taken)
