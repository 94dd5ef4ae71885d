"""Commands that are killed, in this process: AWS hears nothing more of them, not even what `finally` would say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from platform_cli.targets.aws_lambda.client import AWS

READS = ("Get", "Describe", "List", "Head")


class KilledError(BaseException):
    """As kill -9: no error that anybody would handle."""


class Mortal:
    """Runs commands that may be killed: with `aws`, a command ends when the last of `lives` changes that it asks for is
    made, before it hears of it.
    """

    def __init__(self) -> None:
        self.aws = AWS(None)
        self.lives: float = float("inf")
        self.died = 0
        events = self.aws._session.events
        events.register("before-call", self._asked)
        events.register("after-call", self._answered)

    def _asked(self, **_: object) -> None:
        if not self.lives:
            raise KilledError

    def _answered(self, model: Any, **_: object) -> None:
        self.lives -= not model.name.startswith(READS)
        self._asked()

    def deaths(self, command: Callable[[AWS], object]) -> Iterator[None]:
        """Runs it again and again, each time for one more change, until it comes to its end."""
        for lives in count(1):
            self.lives = lives
            try:
                command(self.aws)
            except KilledError:
                self.died += 1
            else:
                return
            finally:
                self.lives = float("inf")
            yield
