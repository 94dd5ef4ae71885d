"""Tests who may use what, by [scopes] as a manifest has it."""

from __future__ import annotations

import pytest

from homeport_runtime.guard.caller import Caller
from homeport_runtime.guard.scopes import Scopes, Target, is_plain, target_of

RULES: dict[str, tuple[str, ...] | None] = {
    "add": ("expense:write",),
    "delete": ("expense:write", "expense:admin"),
    "drop": None,
    "resource:expense://*": ("expense:read",),
    "resource:expense://secret/*": ("expense:admin",),
    "prompt:*": ("expense:read",),
}
IMPLIES: dict[str, tuple[str, ...]] = {"expense:admin": ("expense:write",), "expense:write": ("expense:read",)}
SCOPES = Scopes(RULES, IMPLIES)


def test_the_longest_rule_that_fits_decides() -> None:
    def needed(name: str, *, is_tool: bool = False) -> tuple[str, ...] | None:
        return SCOPES.needed(Target(name, is_tool))

    assert needed("add", is_tool=True) == ("expense:write",)
    assert needed("drop", is_tool=True) is None
    assert needed("unknown", is_tool=True) is None
    assert needed("resource:expense://1") == ("expense:read",)
    assert needed("resource:expense://secret/1") == ("expense:admin",)
    assert needed("resource:other://1") is None
    assert needed("prompt:any") == ("expense:read",)
    with_rest = Scopes({**RULES, "*": ("use",)}, {})
    assert with_rest.needed(Target("unknown", is_tool=True)) == ("use",)
    assert with_rest.needed(Target("resource:other://1", is_tool=False)) == ("use",)
    assert with_rest.needed(Target("drop", is_tool=True)) is None


@pytest.mark.parametrize(
    ("granted", "needed", "allowed"),
    [
        (None, ("expense:admin", "other"), True),
        ((), ("expense:read",), False),
        (("expense:read",), ("expense:read",), True),
        (("expense:read",), ("expense:write",), False),
        (("expense:admin",), ("expense:read", "expense:write"), True),
        (("expense:admin",), ("other",), False),
    ],
)
def test_a_scope_contains_what_it_implies(
    granted: tuple[str, ...] | None, needed: tuple[str, ...], *, allowed: bool
) -> None:
    caller = Caller("client", scopes=None if granted is None else frozenset(granted))
    assert SCOPES.allows(caller, needed) is allowed


def test_what_a_message_uses() -> None:
    def used(method: str, **params: object) -> Target | None:
        return target_of({"method": method, "params": params})

    assert used("tools/call", name="add") == Target("add", is_tool=True)
    assert used("resources/read", uri="x://1") == Target("resource:x://1", is_tool=False)
    assert used("resources/subscribe", uri="x://1") == Target("resource:x://1", is_tool=False)
    assert used("prompts/get", name="add") == Target("prompt:add", is_tool=False)
    assert used("completion/complete", ref={"type": "ref/prompt", "name": "p"}) == Target("prompt:p", is_tool=False)
    assert used("completion/complete", ref={"uri": "x://{id}"}) == Target("resource:x://{id}", is_tool=False)
    for method in ("initialize", "server/discover", "tools/list", "ping", "notifications/initialized"):
        assert used(method) is None
    for params in ({}, {"name": 1}, {"name": ["add"]}):
        unnamed = target_of({"method": "tools/call", "params": params})
        assert unnamed is not None
        assert not unnamed.is_named
    assert target_of({"method": "tools/call", "params": ["add"]}) == Target("", is_tool=True)


@pytest.mark.parametrize(
    "uri",
    ["expense://1", "note://MyNote/a", "file:///a/b.txt", "file:///a//b", "urn:isbn:12", "x://{id}", "x://a%2Fb",
     "file:///..a", "data:a%20b"],
)  # fmt: skip
def test_uris_that_are_written_in_one_way(uri: str) -> None:
    assert is_plain(uri)


@pytest.mark.parametrize(
    "uri",
    ["file:///a/../b", "file:///a/..", "file:///a/./b", "FILE:///a", "file:///a/%2e%2e/b", "expense://%73ecret",
     "http://Host/", "x:/../a", "x:../a", "x://a b", "x://a\tb", "file:///a\\b", "x://h/é", "x", ""],
)  # fmt: skip
def test_uris_that_a_server_may_take_for_others(uri: str) -> None:
    assert not is_plain(uri)
