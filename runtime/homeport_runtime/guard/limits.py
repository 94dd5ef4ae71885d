"""Limits how often each client may call, as [limits] of the configuration says, and how long a call may take."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..asgi import Scope
from ..protocol.jsonrpc import SERVER_ERROR
from ..telemetry import emit
from .address import ADDRESS
from .caller import CALLER, Caller
from .refusals import Refusal
from .scopes import Target
from .windows import Bucket, Rate, Windows

READ, WRITE = "read", "write"
# What no name contains.
_BETWEEN = "\n"
_SPANS = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


class Limits:
    """Holds the rates of [limits], and takes each call from the windows that it belongs to.

    `reads` are the tools that only read. `open_windows` makes the windows for all rates, in their order.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        reads: Collection[str],
        open_windows: Callable[[Sequence[Rate]], Windows],
    ) -> None:
        self._reads = frozenset(reads)
        self._timeout_s: float | None = data.get("timeout_s")
        self._timeouts = {
            tool: each["timeout_s"] for tool, each in data["tools"].items() if each.get("timeout_s") is not None
        }
        self.has_timeouts = self._timeout_s is not None or bool(self._timeouts)
        self._rates: list[tuple[str, Rate]] = []
        self._classes = {kind: self._add(kind, data.get(kind)) for kind in (READ, WRITE)}
        self._tools = {tool: self._add(tool, each.get("rate")) for tool, each in data["tools"].items()}
        self._clients = {
            (client, kind): self._add(kind, rates[kind])
            for client, rates in data["clients"].items()
            for kind in (READ, WRITE)
            if rates.get(kind) is not None
        }
        self._windows = open_windows([rate for _, rate in self._rates]) if self._rates else None
        # Whether it takes a while to count.
        self.waits = self._windows is not None and self._windows.waits

    def _add(self, name: str, rate: Sequence[float] | None) -> int | None:
        """Returns the index of a rate, None for none."""
        if rate is None:
            return None
        self._rates.append((name, Rate(int(rate[0]), float(rate[1]))))
        return len(self._rates) - 1

    def timeout_s(self, tool: str) -> float | None:
        """Returns the seconds that a call of `tool` may take, None without a limit."""
        return self._timeouts.get(tool, self._timeout_s)

    def buckets(self, scope: Scope, target: Target, needed: tuple[str, ...]) -> tuple[Bucket, ...]:
        """Returns the windows that count a call of `target`, which needs the scopes `needed`.

        They are the same for all calls of a known caller for which these are the same.
        """
        if self._windows is None:
            return ()
        caller: Caller | None = scope.get(CALLER)
        client = caller.client if caller is not None else ""
        kind = self._kind(target, needed)
        by_class = self._clients.get((client, kind), self._classes[kind])
        indexes = [by_class, self._tools.get(target.name) if target.is_tool else None]
        who = _key(scope, caller)
        return tuple(Bucket(index, who) for index in indexes if index is not None)

    def refusal(self, scope: Scope, buckets: Sequence[Bucket]) -> Refusal | None:
        """Takes a call from its windows, or returns why it may not be made now."""
        if self._windows is None:
            return None
        try:
            full, wait = self._windows.take(buckets)
        except OSError as problem:
            # A limit that cannot be counted must not end the service that it protects.
            emit("warning", f"a call was not counted under [limits]: {problem}")
            return None
        return self._refused(full, wait, _shown(scope)) if wait else None

    def _kind(self, target: Target, needed: tuple[str, ...]) -> str:
        return READ if not target.is_tool or target.name in self._reads or _only_read(needed) else WRITE

    def _refused(self, full: int, wait: float, who: str) -> Refusal:
        name, rate = self._rates[full]
        calls = f"{rate.calls} {name} call{'' if rate.calls == 1 else 's'}"
        if name not in (READ, WRITE):
            calls = f"{rate.calls} call{'' if rate.calls == 1 else 's'} of {name}"
        seconds = math.ceil(wait)
        # A string of RFC 9651, section 3.3.3: a tool may be called what a header cannot say.
        policy = name if name.isascii() and name.isprintable() and not set(name) & {'"', "\\"} else "tool"
        return Refusal(
            429,
            "rate_limited",
            f"{calls} per {_SPANS.get(rate.seconds, f'{rate.seconds:g} seconds')} for {who}",
            SERVER_ERROR,
            "Too many requests",
            retryable=True,
            retry_after_ms=math.ceil(wait * 1000),
            # draft-ietf-httpapi-ratelimit-headers-11: the quota and its window, what remains of it, and until when.
            headers=[
                (b"ratelimit-policy", f'"{policy}";q={rate.calls};w={rate.seconds:g}'.encode()),
                (b"ratelimit", f'"{policy}";r=0;t={seconds}'.encode()),
            ],
        )


@lru_cache(maxsize=1024)
def _only_read(scopes: tuple[str, ...]) -> bool:
    return bool(scopes) and all(scope.endswith(":read") for scope in scopes)


def _key(scope: Scope, caller: Caller | None) -> str:
    """Returns whose windows count a call: of whom was verified, or else of an address.

    Who signs in may register any number of clients, and so counts as a person.
    """
    if caller is None:
        return f"address{_BETWEEN}{scope.get(ADDRESS)}"
    if caller.by_oauth:
        # An issuer names clients as it likes, also as a client token here is called.
        return f"user{_BETWEEN}{caller.user}" if caller.user is not None else f"issued{_BETWEEN}{caller.client}"
    return f"client{_BETWEEN}{caller.client}{_BETWEEN}{caller.user or ''}"


def _shown(scope: Scope) -> str:
    caller: Caller | None = scope.get(CALLER)
    if caller is None:
        return str(scope.get(ADDRESS))
    return caller.client if caller.user is None else f"{caller.client} ({caller.user})"
