"""Says who calls, which nobody believes before it was verified."""

from __future__ import annotations

from typing import NamedTuple

# The key of an ASGI scope under which the guard keeps who calls; without it everyone may.
CALLER = "homeport.caller"
# The keys under which it keeps the scopes by which a call was allowed, and a result that its answer does not show.
SCOPES_USED = "homeport.scopes_used"
RESULT = "homeport.result"


class Caller(NamedTuple):
    """Is whoever a verified token was given to.

    `client` is the program, `user` the person it acts for, None if nobody is named. `scopes` are those that were
    granted, None for every scope: what a server without [scopes] asks for. `by_oauth` means that the client got its
    token by OAuth, and can get another with more scopes by itself.
    """

    client: str
    user: str | None = None
    scopes: frozenset[str] | None = None
    by_oauth: bool = False
