"""Reads [scopes] of fastmcp.toml: which scopes each tool, resource and prompt needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from homeport_runtime.guard.scopes import PROMPT, RESOURCE, SCOPE

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import ScopesData

IMPLIES = "implies"


@dataclass(frozen=True, slots=True)
class ScopeRules:
    """Holds the rules of [scopes] (homeport_runtime.guard.scopes.Scopes).

    `rules` have the scopes that a tool, `resource:URI`, `prompt:NAME` or `*` needs, None where nobody may use it, and
    `implies` those that a scope contains. `lines` tells where each rule is written, such as `fastmcp.toml:12`.
    """

    rules: Mapping[str, tuple[str, ...] | None]
    implies: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, str] = field(default_factory=dict, compare=False)

    def data(self) -> ScopesData:
        return {
            "rules": {name: None if needed is None else list(needed) for name, needed in self.rules.items()},
            "implies": {scope: list(contained) for scope, contained in self.implies.items()},
        }


def rule(name: str, value: object) -> tuple[str, ...] | None:
    """Reads a rule: a scope, or a list of scopes of which all are needed, or false."""
    if "*" in name and name != "*" and not name.startswith((RESOURCE, PROMPT)):
        raise ValueError('is no rule: stars are for "*" alone, and for "resource:..." and "prompt:..."')
    return None if value is False else _scopes(value)


def implied(scope: str, value: object) -> tuple[str, ...]:
    """Reads the scopes that `scope` contains."""
    _scopes(scope)
    return _scopes(value)


def _scopes(value: object) -> tuple[str, ...]:
    scopes = [value] if isinstance(value, str) else value
    if not isinstance(scopes, list) or not scopes or not all(map(_is_scope, scopes)):
        raise ValueError('must be a scope such as "expense:read", a list of scopes, or false')
    return tuple(dict.fromkeys(scopes))


def _is_scope(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(SCOPE, value) is not None
