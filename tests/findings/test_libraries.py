from __future__ import annotations

from typing import Any, cast

from homeport_runtime.libraries.tried import TRIED, Untried
from platform_cli import __version__
from platform_cli.findings.libraries import find_library_changes
from platform_cli.findings.model import Finding


def found(**server: Any) -> list[Finding]:
    return list(find_library_changes(cast(Any, {"server": server})))


def test_a_newer_sdk_and_a_missing_part_are_told() -> None:
    gap = {"library": "mcp", "part": "Server.run", "effect": "it is run over stdio"}
    newer, missing = found(untried=[{"library": "fastmcp", "version": "99.1"}], gaps=[gap])
    assert newer.text == Untried("fastmcp", "99.1").sentence(__version__)
    assert newer.hint == f"require {Untried('fastmcp', '99.1').pin}, or upgrade homeport"
    assert "does not find Server.run in this mcp: it is run over stdio" in missing.text


def test_what_an_earlier_or_later_homeport_has_made_says_less() -> None:
    assert found(kind="fastmcp") == []
    assert "unheard-of" not in TRIED
    assert found(untried=[{"library": "unheard-of", "version": "1.0"}]) == []
