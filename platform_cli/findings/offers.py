"""What a server offers to clients; nothing at all is no success."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InspectError
from .model import Finding

# The keys of a contract that clients can use.
OFFERS = ("tools", "prompts", "resources", "resourceTemplates")
ALLOW = "--allow-empty deploys it as it is"


def check_offers(contract: Mapping[str, Any] | None) -> None:
    """Raises InspectError for a server that answers its inspection and has nothing for clients."""
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
    """As `check_offers` for a push, where nobody is asked: what offers nothing follows only what offered nothing."""
    if live is not None and _offers(live):
        check_offers(contract)


def _offers(contract: Mapping[str, Any]) -> bool:
    """Whether it lists something, or cannot be asked."""
    return any(contract.get(key) for key in (*OFFERS, "guarded", "problems", "endpoints"))


def find_failed_lists(contract: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Each list that the server promises and could not give."""
    for problem in (contract or {}).get("problems", ()):
        yield Finding(
            "list-failed",
            f"{problem['method']} failed: {problem['message']}",
            "set what it needs: --env KEY=VALUE, [environment] in fastmcp.toml, or `homeport set-secret KEY`",
        )


def offer_lines(contract: Mapping[str, Any] | None, url: str) -> list[str]:
    """The tools, for people; of an app with several servers each one's URL, which begins with `url`."""
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
    """`tools` as a contract lists them, or their names alone."""
    return ", ".join(tool if isinstance(tool, str) else tool["name"] for tool in tools) or "none listed"
