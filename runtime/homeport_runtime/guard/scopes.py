"""Knows which scopes a message needs, as [scopes] of the configuration says, and whether a caller has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .caller import Caller

# A scope's name, as a pattern (RFC 6749, section 3.3).
SCOPE = r"[\x21\x23-\x5b\x5d-\x7e]{1,200}"
# The end of the names of those scopes that a client gets which asks for none.
READS = ":read"
CALL = "tools/call"
# The rule for everything that has no other.
ANYTHING = "*"
# The text before the URI of a resource, or the name of a prompt, in the name of a rule.
RESOURCE, PROMPT = "resource:", "prompt:"
# What servers may take for another way to write the same URI (RFC 3986, section 6.2.2; WHATWG's for the backslash).
_ELSEWISE = re.compile(r"[^!-\[\]-~]|%(?:2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])")
_DOTS = re.compile(r"/\.{1,2}([/?#]|\Z)")
# The schemes whose hosts are the same in upper and lower case (https://url.spec.whatwg.org/#special-scheme).
_SPECIAL = ("http", "https", "ws", "wss", "ftp", "file")


class Target(NamedTuple):
    """Is what a message uses: `name` as a rule of [scopes] names it."""

    name: str
    is_tool: bool

    @property
    def is_named(self) -> bool:
        return self.name not in ("", RESOURCE, PROMPT)


def target_of(message: Mapping[str, Any]) -> Target | None:
    """Returns what a message uses of the server; None for messages that everyone may send who may call."""
    method, params = message.get("method"), message.get("params")
    params = params if isinstance(params, dict) else {}
    if method == CALL:
        return Target(_text(params.get("name")), is_tool=True)
    if method in ("resources/read", "resources/subscribe"):
        return Target(RESOURCE + _text(params.get("uri")), is_tool=False)
    if method == "prompts/get":
        return Target(PROMPT + _text(params.get("name")), is_tool=False)
    if method == "completion/complete":
        return _completed(params.get("ref"))
    return None


def _completed(ref: object) -> Target:
    ref = ref if isinstance(ref, dict) else {}
    if "uri" in ref:
        return Target(RESOURCE + _text(ref["uri"]), is_tool=False)
    return Target(PROMPT + _text(ref.get("name")), is_tool=False)


def _text(name: object) -> str:
    return name if isinstance(name, str) else ""


class Scopes:
    """Holds the rules of [scopes].

    `rules` have the scopes that each tool, `resource:URI`, `prompt:NAME` or `*` needs, None where nobody may. Stars
    stand for any text in those of resources and prompts, of which the longest that fits decides. `implies` are the
    scopes that each scope contains.
    """

    def __init__(self, rules: Mapping[str, tuple[str, ...] | None], implies: Mapping[str, tuple[str, ...]]) -> None:
        self._rules = dict(rules)
        self.implies = dict(implies)
        patterns = [name for name in rules if name.startswith((RESOURCE, PROMPT))]
        self._patterns = [(_compiled(name), name) for name in sorted(patterns, key=len, reverse=True)]
        self._told_apart = any(name.startswith(RESOURCE) for name in patterns)
        self._granted: dict[frozenset[str], frozenset[str]] = {}

    @classmethod
    def read(cls, data: Mapping[str, Any] | None) -> Scopes | None:
        """Returns the rules in a manifest, None if it has none."""
        if not data:
            return None
        rules = {name: None if needed is None else tuple(needed) for name, needed in data["rules"].items()}
        return cls(rules, {scope: tuple(contained) for scope, contained in data["implies"].items()})

    @property
    def known(self) -> list[str]:
        """Returns every scope that is named, sorted."""
        named = {scope for needed in self._rules.values() for scope in needed or ()}
        return sorted(named.union(self.implies, *self.implies.values()))

    @property
    def baseline(self) -> tuple[str, ...]:
        """Returns the scopes that a client gets which asks for none: those that only read, all if none is called so."""
        known = tuple(self.known)
        return tuple(scope for scope in known if scope.endswith(READS)) or known

    def rule_of(self, target: Target) -> str | None:
        """Returns the name of the rule that decides about `target`, None if nothing is said of it."""
        if target.is_tool:
            found = target.name if target.name in self._rules else None
        else:
            found = next((name for pattern, name in self._patterns if pattern.fullmatch(target.name)), None)
        return found if found is not None else (ANYTHING if ANYTHING in self._rules else None)

    def is_clear(self, target: Target) -> bool:
        """Tells whether the URI of a resource is written in the one way in which rules can tell it from others."""
        if not self._told_apart or not target.name.startswith(RESOURCE):
            return True
        return is_plain(target.name[len(RESOURCE) :])

    def needed(self, target: Target) -> tuple[str, ...] | None:
        """Returns the scopes that `target` needs, None if nobody may use it."""
        rule = self.rule_of(target)
        return None if rule is None else self._rules[rule]

    def allows(self, caller: Caller, needed: tuple[str, ...]) -> bool:
        return caller.scopes is None or self._contained(caller.scopes).issuperset(needed)

    def _contained(self, granted: frozenset[str]) -> frozenset[str]:
        """Returns what was granted, with all that it implies."""
        found = self._granted.get(granted)
        if found is None:
            reached, ahead = set(granted), list(granted)
            while ahead:
                new = [scope for scope in self.implies.get(ahead.pop(), ()) if scope not in reached]
                reached.update(new)
                ahead += new
            # As many as there are tokens with different scopes.
            found = self._granted[granted] = frozenset(reached)
        return found


def is_plain(uri: str) -> bool:
    """Tells whether a URI is written in the one way in which all servers read it."""
    scheme, colon, rest = uri.partition(":")
    if not colon or not re.fullmatch("[a-z][a-z0-9+.-]*", scheme) or _ELSEWISE.search(rest) or _DOTS.search(f"/{rest}"):
        return False
    host = re.split("[/?#]", rest[2:], maxsplit=1)[0] if rest.startswith("//") else ""
    return scheme not in _SPECIAL or host == host.lower()


def _compiled(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)
