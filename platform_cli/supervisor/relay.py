"""Passes messages of legacy HTTP+SSE between a project's workers (homeport_runtime.relay.workers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .worker import Worker


@dataclass(slots=True)
class _Question:
    """Whose session is this? The workers in `open` have not said yet."""

    asker: Worker
    number: int
    open: set[Worker]


class Relays:
    def __init__(self) -> None:
        self._questions: dict[int, _Question] = {}
        self._next = 0

    def handle(self, worker: Worker, message: dict[str, Any], others: Sequence[Worker]) -> None:
        """A question goes to all the others; the first who has the session settles it, or all who have not."""
        if message["event"] == "relay":
            self._ask(worker, message, others)
        else:
            self._settle(message["number"], worker, taken=message["taken"])

    def ended(self, worker: Worker) -> None:
        """It has no session any more, and says nothing."""
        for number in list(self._questions):
            self._settle(number, worker, taken=False)

    def _ask(self, worker: Worker, message: dict[str, Any], others: Sequence[Worker]) -> None:
        if not others:
            worker.tell(do="relayed", number=message["number"], taken=False)
            return
        self._next += 1
        self._questions[self._next] = _Question(worker, message["number"], set(others))
        for other in others:
            other.tell(**{**message, "event": "", "do": "relay", "number": self._next})

    def _settle(self, number: int, worker: Worker, *, taken: bool) -> None:
        question = self._questions.get(number)
        if question is None:
            return
        question.open.discard(worker)
        if taken or not question.open:
            del self._questions[number]
            question.asker.tell(do="relayed", number=question.number, taken=taken)
