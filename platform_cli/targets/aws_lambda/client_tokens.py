"""Keeps client tokens in a variable of the function, of which only the hashes are in it, as the project's own token is
kept: each change publishes the release again.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ...api.client_token import ListedClientToken, WantedClientToken
from ...bearer import hash_of, make_token
from ...errors import InputError, NotFoundError

# The bytes that they may take of the 4 KB of all variables
# (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
MAX_BYTES = 2400
# The digits of a token's hash by which it is called.
ID_DIGITS = 8


def added(clients: str, wanted: WantedClientToken) -> tuple[str, ListedClientToken, str]:
    """Returns a new token, how it is listed, and the variable with it; those that have expired are left out.

    Raises InputError if there is no room for it.
    """
    token, now = make_token(), time.time()
    made: dict[str, Any] = {"hash": hash_of(token), "client": wanted["client"], "created_at": int(now)}
    if wanted["user"] is not None:
        made["user"] = wanted["user"]
    if wanted["scopes"] is not None:
        made["scopes"] = wanted["scopes"]
    if wanted["expires_s"] is not None:
        made["expires_at"] = int(now + wanted["expires_s"])
    kept = [each for each in _read(clients) if each.get("expires_at") is None or each["expires_at"] > now]
    text = _written([*kept, made])
    if len(text.encode()) > MAX_BYTES:
        raise InputError(
            f"a function has no room for more than these {len(kept)} client tokens",
            hint="homeport token revoke NAME TOKEN --target lambda",
        )
    return token, _listed(made), text


def without(project: str, clients: str, token_id: str) -> str:
    """Returns the variable without a token.

    Raises NotFoundError if there is none of that id.
    """
    known = _read(clients)
    kept = [each for each in known if each["hash"][:ID_DIGITS] != token_id]
    if len(kept) == len(known):
        raise NotFoundError(
            f"{project} has no client token {token_id!r}", hint=f"`homeport token list {project} --target lambda`"
        )
    return _written(kept) if kept else ""


def listed(clients: str) -> list[ListedClientToken]:
    return [_listed(each) for each in _read(clients)]


def _read(clients: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(clients) if clients else []
    return found


def _written(tokens: list[dict[str, Any]]) -> str:
    return json.dumps(tokens, ensure_ascii=False, separators=(",", ":"))


def _listed(token: dict[str, Any]) -> ListedClientToken:
    expires_at = token.get("expires_at")
    return {
        "id": token["hash"][:ID_DIGITS],
        "client": token["client"],
        "user": token.get("user"),
        "scopes": token.get("scopes"),
        "created_at": float(token["created_at"]),
        "expires_at": None if expires_at is None else float(expires_at),
        "used_at": None,
    }
