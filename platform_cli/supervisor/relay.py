"""Passes messages of legacy HTTP+SSE between a project's workers (homeport_runtime.relay.workers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .worker import Worker


@dataclass(slots=True)
class _Question:
    """Whose session is this? `open` workers have not said yet."""

    asker: Worker
    number: int
    open: int


class Relays:
    def __init__(self) -> None:
        self._questions: dict[int, _Question] = {}
        self._next = 0

    def handle(self, worker: Worker, message: dict[str, Any], others: Sequence[Worker]) -> None:
        """A question goes to all the others; the first who has the session settles it, or all who have not."""
        if message["event"] == "relay":
            self._ask(worker, message, others)
        else:
            self._settle(message)

    def _ask(self, worker: Worker, message: dict[str, Any], others: Sequence[Worker]) -> None:
        if not others:
            worker.tell(do="relayed", number=message["number"], taken=False)
            return
        self._next += 1
        self._questions[self._next] = _Question(worker, message["number"], len(others))
        for other in others:
            other.tell(**{**message, "event": "", "do": "relay", "number": self._next})

    def _settle(self, message: dict[str, Any]) -> None:
        question = self._questions.get(message["number"])
        if question is None:
            return
        question.open -= 1
        if message["taken"] or question.open == 0:
            del self._questions[message["number"]]
            question.asker.tell(do="relayed", number=question.number, taken=message["taken"])
