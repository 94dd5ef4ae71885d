from __future__ import annotations

from typing import Any

from platform_cli.contract import compare


def contract(**tools: dict[str, Any]) -> dict[str, Any]:
    return {"tools": [{"name": name, "inputSchema": {}, **tool} for name, tool in tools.items()]}


def test_what_a_client_sees_of_a_change() -> None:
    old = contract(gone={}, kept={"description": "a", "inputSchema": {"required": ["x"]}}, same={"description": "s"})
    new = contract(
        kept={"description": "b", "inputSchema": {"required": ["x", "y"]}}, same={"description": "s"}, fresh={}
    )
    found = compare(old, new)
    assert (found.added, found.removed, found.required, found.described) == (
        ("fresh",),
        ("gone",),
        ("kept.y",),
        ("kept",),
    )
    assert found.is_breaking
    assert found.lines() == [
        "- gone (breaking: removed)",
        "! kept.y (breaking: is required now)",
        "+ fresh",
        "~ kept (description)",
    ]


def test_what_breaks_nobody() -> None:
    assert not compare(None, contract(fresh={"inputSchema": {"required": ["x"]}})).is_breaking
    assert not compare(contract(a={"inputSchema": {"required": ["x"]}}), contract(a={})).is_breaking
    assert compare(contract(a={}), None).is_breaking
    assert compare(contract(a={}), contract(a={})).lines() == []
