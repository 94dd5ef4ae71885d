"""Describes who may call a deployment, as the supervisor tells a worker: in its job, and whenever that changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# The variable with the client tokens of a process without a platform.
CLIENT_TOKENS = "HOMEPORT_CLIENT_TOKENS"
_MEMBERS = frozenset(("hash", "client", "user", "scopes", "created_at", "expires_at"))
_SHA256 = re.compile("[0-9a-f]{64}")
# The client of the project's own token, which has every scope.
PROJECT_TOKEN = "project-token"  # noqa: S105 - its name


@dataclass(frozen=True)
class ClientToken:
    """Is a token by which a client is known; only its `hash` is, the SHA-256 in hexadecimal digits.

    `scopes` are those that it grants, None for every scope. It is worth nothing after `expires_at`, in seconds since
    1970, None for never.
    """

    hash: str
    client: str = PROJECT_TOKEN
    user: str | None = None
    scopes: tuple[str, ...] | None = None
    expires_at: float | None = None


class EndedSignIns(Protocol):
    """Returns the sign-ins that have ended, for a token that was issued at `issued_at`, in seconds since 1970; it may
    ask for them first, for `wait_s`.
    """

    def __call__(self, issued_at: float, wait_s: float = ...) -> Collection[str]: ...


@dataclass(frozen=True)
class Access:
    """Holds what the guard needs to know its callers: their `tokens`, and the settings of OAuth, None without it.

    `renewed` returns the present keys of somebody else's authorization server, None if only a platform knows them, and
    `ended` the sign-ins that have ended there; None if `oauth` has them.
    """

    tokens: tuple[ClientToken, ...] = ()
    oauth: Mapping[str, Any] | None = None
    renewed: Callable[[], Sequence[Mapping[str, Any]] | None] = lambda: None
    ended: EndedSignIns | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any] | None) -> Access | None:
        """Returns what `to_data` has made; None stays None, which lets everyone call."""
        if told is None:
            return None
        return cls(tuple(_token(each) for each in told["tokens"]), told.get("oauth"))

    @classmethod
    def of_hashes(cls, hashes: str | None) -> Access | None:
        """Returns the access of tokens with every scope; commas separate their hashes, and without any everyone may
        call.
        """
        found = tuple(ClientToken(each) for each in (hashes or "").split(",") if each)
        return cls(found) if found else None

    def to_data(self) -> dict[str, Any]:
        tokens = [
            {
                "hash": each.hash,
                "client": each.client,
                "user": each.user,
                "scopes": None if each.scopes is None else list(each.scopes),
                "expires_at": each.expires_at,
            }
            for each in self.tokens
        ]
        return {"tokens": tokens, "oauth": self.oauth}


def _token(told: Mapping[str, Any]) -> ClientToken:
    scopes = told["scopes"]
    return ClientToken(
        told["hash"], told["client"], told["user"], None if scopes is None else tuple(scopes), told["expires_at"]
    )


def read_clients(text: str) -> tuple[ClientToken, ...]:
    """Returns the client tokens in a JSON array of objects with `hash` and `client`, and `user`, `scopes` and
    `expires_at` where they are to be had.

    Raises ValueError for anything else.
    """
    try:
        return tuple(map(_client, json.loads(text)))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("no client tokens") from error


def _client(said: Mapping[str, Any]) -> ClientToken:
    hashed, client, user, scopes = said["hash"].lower(), said["client"], said.get("user"), said.get("scopes")
    expires_at = said.get("expires_at")
    texts = [client, *([] if user is None else [user]), *(scopes or ())]
    if not _SHA256.fullmatch(hashed) or not client or not all(isinstance(each, str) for each in texts):
        raise ValueError("no client token")
    if said.keys() - _MEMBERS or isinstance(scopes, str):
        raise ValueError("no client token")
    granted = None if scopes is None else tuple(scopes)
    return ClientToken(hashed, client, user, granted, None if expires_at is None else float(expires_at))
