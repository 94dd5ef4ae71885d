"""Checks what a server offers to clients, since a deploy of a server that offers nothing must not succeed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InspectError
from .model import Finding

# The most tools that are named; `homeport tools` lists all.
MOST = 24
# The keys of a contract that clients can use.
OFFERS = ("tools", "prompts", "resources", "resourceTemplates")
ALLOW = "--allow-empty deploys it as it is"


def check_offers(contract: Mapping[str, Any] | None) -> None:
    """Raises InspectError for a server that offers nothing to clients, or has no MCP endpoint."""
    if contract is None:
        raise InspectError(
            "nothing answers at /mcp: this is a web app without an MCP endpoint",
            hint=f"mount the server's app at /mcp, or name the server itself: FILE:OBJECT; {ALLOW}",
        )
    if not _offers(contract):
        raise InspectError(
            "the server offers nothing: it lists no tools, no prompts and no resources",
            hint="they may be registered in a main() or another function that is not called when the server starts, "
            f"or on an object with another name (FILE:OBJECT serves that one); {ALLOW}",
        )


def check_still_offers(contract: Mapping[str, Any] | None, live: Mapping[str, Any] | None) -> None:
    """Raises the error of `check_offers` only if the live release offers something, since a push cannot
    ask its author.
    """
    if live is not None and _offers(live):
        check_offers(contract)


def _offers(contract: Mapping[str, Any]) -> bool:
    """Tells whether a server lists something, or cannot be asked."""
    return any(contract.get(key) for key in (*OFFERS, "guarded", "problems", "endpoints"))


def find_failed_lists(contract: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Yields each list that the server announced and failed to return."""
    for problem in (contract or {}).get("problems", ()):
        yield Finding(
            "list-failed",
            f"{problem['method']} failed: {problem['message']}",
            "set what it needs: --env KEY=VALUE, [environment] in fastmcp.toml, or `homeport set-secret KEY`",
        )


def offer_lines(contract: Mapping[str, Any] | None, url: str) -> list[str]:
    """Returns the server's tools as text; for an app with several servers, the URL of each, which begins with `url`."""
    contract = contract or {}
    if endpoints := contract.get("endpoints"):
        return [
            f"{endpoint['name']}: {url}{endpoint['path']}  tools: {_names(endpoint['tools'])}" for endpoint in endpoints
        ]
    if contract.get("guarded"):
        known = f"{_names(contract['tools'])}, " if contract.get("tools") else ""
        return [f"tools: {known}behind the server's own sign-in"]
    return [f"tools: {_names(contract.get('tools', ()))}"]


def _names(tools: Any) -> str:
    """Returns the names of `tools`, which are as in a contract or names already; of many the first."""
    names = [tool if isinstance(tool, str) else tool["name"] for tool in tools]
    more = [f"and {len(names) - MOST} more"] if len(names) > MOST else []
    return ", ".join([*names[:MOST], *more]) or "none listed"
