"""Makes tokens for the console's own calls of guarded projects; they are in memory alone, and end by themselves."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

from homeport_runtime.guard.access import ClientToken

from ..bearer import hash_of, make_token

# The client that these calls are made by, in records and in the audit log.
CLIENT = "homeport console"
# The seconds for which a token is worth something, and those that it must have left to be used once more.
LIFE_S, LEFT_S = 900.0, 720.0


@dataclass(slots=True)
class ConsoleToken:
    """Is a token that ends at `expires_at`, in seconds since 1970. Until `is_admitted` no running worker knows it."""

    token: str
    expires_at: float
    is_admitted: bool = False


class ConsoleTokens:
    def __init__(self) -> None:
        # By project and user.
        self._made: dict[str, dict[str, ConsoleToken]] = defaultdict(dict)

    def take(self, project: str, user: str) -> ConsoleToken:
        """Returns a token with every scope by which a project knows the console and its `user`."""
        self._drop_ended(project)
        found = self._made[project].get(user)
        if found is None or found.expires_at - time.time() <= LEFT_S:
            found = self._made[project][user] = ConsoleToken(make_token(), time.time() + LIFE_S)
        return found

    def forget(self, project: str) -> None:
        """Ends the tokens of a project that is destroyed: another may get its name."""
        self._made.pop(project, None)

    def of(self, project: str) -> tuple[ClientToken, ...]:
        """Returns the tokens as the guard of a project knows them."""
        self._drop_ended(project)
        return tuple(
            ClientToken(hash_of(made.token), CLIENT, user, None, made.expires_at)
            for user, made in self._made.get(project, {}).items()
        )

    def _drop_ended(self, project: str) -> None:
        now = time.time()
        if project in self._made:
            self._made[project] = {user: made for user, made in self._made[project].items() if made.expires_at > now}
