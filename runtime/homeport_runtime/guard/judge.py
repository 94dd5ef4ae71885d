"""Judges each message by [scopes] and [limits]: the one that the server gets, in whatever way it was written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..asgi import Scope
from ..protocol.jsonrpc import INVALID_PARAMS
from .auth import Authenticator
from .caller import CALLER, SCOPES_USED, Caller
from .limits import Limits
from .refusals import FORBIDDEN, Refusal
from .scopes import PROMPT, RESOURCE, Scopes, Target, target_of
from .shown import MAX_NAME, shown
from .windows import Bucket, Rate, Windows

# What decides about a message. Servers in languages whose decoders ignore case would take another key for one of these.
_KEYS = frozenset(("jsonrpc", "id", "method", "params", "name", "uri", "ref", "arguments"))
# What most messages have, and nothing beside it.
_PLAIN = _KEYS | {"_meta"}
# How many of the calls that were allowed are remembered: by whom, and of what.
MAX_KNOWN = 1000

AMBIGUOUS = Refusal(400, "ambiguous", "a key differs from one of JSON-RPC or MCP only in upper and lower case")
UNNAMED = Refusal(400, "unnamed", "what is meant has to be named by text", INVALID_PARAMS, "Invalid params")
UNCLEAR = Refusal(
    400,
    "ambiguous",
    "the URI has other ways to be written: without . and .. in its path, encoded letters, or an upper case scheme",
    INVALID_PARAMS,
    "Invalid params",
    more={"field": "uri"},
)


class _Allowed(NamedTuple):
    """Says by which scopes a call is allowed, and which windows count it."""

    needed: tuple[str, ...]
    buckets: tuple[Bucket, ...]


class Judge:
    """Decides whether a caller may send a message: by its scopes first, since a refused call is not counted."""

    def __init__(self, scopes: Scopes | None, limits: Limits | None) -> None:
        self._scopes = scopes
        self._limits = limits
        # By what a known caller may use something; few callers make most calls.
        self._known: dict[tuple[Caller | None, Target], _Allowed] = {}

    @classmethod
    def of(
        cls,
        scopes: Mapping[str, Any] | None,
        limits: Mapping[str, Any] | None,
        reads: Collection[str],
        open_windows: Callable[[Sequence[Rate]], Windows],
    ) -> Judge | None:
        """Returns the judge for what a manifest says, None if that is nothing."""
        if not scopes and not limits:
            return None
        return cls(Scopes.read(scopes), Limits(limits, reads, open_windows) if limits else None)

    async def refusal(
        self, scope: Scope, message: Mapping[str, Any], authenticator: Authenticator | None
    ) -> Refusal | None:
        """Returns why a message may not be passed on, None if it may, and then it has been counted."""
        params = message.get("params")
        if not isinstance(params, dict):
            params = {}
        if not (_PLAIN.issuperset(message) and _PLAIN.issuperset(params)) and _is_ambiguous(message, params):
            return AMBIGUOUS
        target = target_of(message)
        if target is None:
            return None
        caller: Caller | None = scope.get(CALLER)
        allowed = self._known.get((caller, target))
        if allowed is None:
            decided = await self._decided(scope, target, authenticator)
            if isinstance(decided, Refusal):
                return decided
            allowed = decided
            # A caller's own texts must not make this grow.
            if caller is not None and len(target.name) <= MAX_NAME and len(self._known) < MAX_KNOWN:
                self._known[caller, target] = allowed
        scope[SCOPES_USED], buckets = allowed
        limits = self._limits
        if limits is None or not buckets:
            return None
        return (
            await asyncio.to_thread(limits.refusal, scope, buckets) if limits.waits else limits.refusal(scope, buckets)
        )

    async def _decided(self, scope: Scope, target: Target, authenticator: Authenticator | None) -> Refusal | _Allowed:
        """Returns why nobody or not this caller may use `target`, or by what it may; only a caller's own members and
        `target` decide.
        """
        if not target.is_named:
            return UNNAMED
        needed: tuple[str, ...] = ()
        if self._scopes is not None:
            if not self._scopes.is_clear(target):
                return UNCLEAR
            granted = self._scopes.needed(target)
            refused = await _denied(self._scopes, scope, target, granted, authenticator)
            if refused is not None:
                return refused
            needed = granted or ()
        return _Allowed(needed, () if self._limits is None else self._limits.buckets(scope, target, needed))

    @property
    def has_timeouts(self) -> bool:
        """Tells whether there are calls that may not take as long as the server likes."""
        return self._limits is not None and self._limits.has_timeouts

    def timeout_s(self, message: Mapping[str, Any]) -> float | None:
        """Returns the seconds that the server may take for a tool call, None without a limit."""
        target = target_of(message) if self._limits is not None else None
        return self._limits.timeout_s(target.name) if self._limits is not None and target is not None else None


def reading_tools(tools: Iterable[Mapping[str, Any]] | None) -> list[str]:
    """Returns the names of those tools of a contract that say that they only read."""
    return [tool["name"] for tool in tools or () if (tool.get("annotations") or {}).get("readOnlyHint") is True]


async def _denied(
    scopes: Scopes, scope: Scope, target: Target, needed: tuple[str, ...] | None, authenticator: Authenticator | None
) -> Refusal | None:
    caller: Caller | None = scope.get(CALLER)
    if needed is not None and caller is not None and scopes.allows(caller, needed):
        return None
    name = _named(target)
    if needed is None:
        if scopes.rule_of(target) is None:
            return _forbidden("forbidden", f"[scopes] says nothing of {name}, and so nobody may use it")
        return _forbidden("forbidden", f"nobody may use {name}")
    texts = " and ".join(needed)
    refused = _forbidden(
        "insufficient_scope", f"{name} needs the scope{'s' if len(needed) > 1 else ''} {texts}", " ".join(needed)
    )
    if caller is None or authenticator is None:
        return refused
    return replace(refused, headers=await authenticator.forbidden(scope, caller, needed))


def _forbidden(reason: str, detail: str, required: str | None = None) -> Refusal:
    more = {} if required is None else {"required_scope": required}
    return Refusal(403, reason, detail, FORBIDDEN, "Forbidden", more=more)


def _named(target: Target) -> str:
    for prefix, kind in ((RESOURCE, "resource"), (PROMPT, "prompt")):
        if not target.is_tool and target.name.startswith(prefix):
            return f"the {kind} {shown(target.name[len(prefix) :])}"
    return shown(target.name)


def _is_ambiguous(message: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Tells whether a decoder that ignores case would read another message."""
    return any(key not in _KEYS and key.casefold() in _KEYS for key in (*message, *params))
