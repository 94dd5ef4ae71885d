"""Makes tokens for the console's own calls of guarded projects; they are in memory alone, and end by themselves."""

from __future__ import annotations

import time
from collections import defaultdict

from homeport_runtime.guard.access import ClientToken

from ..bearer import hash_of, make_token

# The client that these calls are made by, in records and in the audit log.
CLIENT = "homeport console"
# The seconds for which a token is worth something, and those that it must have left to be used once more.
LIFE_S, LEFT_S = 900.0, 720.0


class ConsoleTokens:
    def __init__(self) -> None:
        # By project and user, the token and when it ends, in seconds since 1970.
        self._made: dict[str, dict[str, tuple[str, float]]] = defaultdict(dict)

    def take(self, project: str, user: str) -> tuple[str, bool]:
        """Returns a token with every scope by which a project knows the console and its `user`, and whether it is new:
        running workers have to be told of it then.
        """
        self._drop_ended(project)
        token, ends = self._made[project].get(user, ("", 0.0))
        if ends - time.time() > LEFT_S:
            return token, False
        token = make_token()
        self._made[project][user] = (token, time.time() + LIFE_S)
        return token, True

    def of(self, project: str) -> tuple[ClientToken, ...]:
        """Returns the tokens as the guard of a project knows them."""
        self._drop_ended(project)
        return tuple(
            ClientToken(hash_of(token), CLIENT, user, None, ends)
            for user, (token, ends) in self._made.get(project, {}).items()
        )

    def _drop_ended(self, project: str) -> None:
        now = time.time()
        if project in self._made:
            self._made[project] = {user: made for user, made in self._made[project].items() if made[1] > now}
