"""Reads a server's contract, what it offers, at deploy time and over its own protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..asgi import ASGIApp
from ..errors import ServerError
from .endpoints import HTTP, SSE, Endpoint
from .probe import LISTS, MAX_TOLD, Guarded, NoMCPEndpoint, Probe, has_stream

# The Host of requests from inside the process; the SDKs' own check wants a port.
PROBE_HOST = "127.0.0.1:80"
# The usual paths of endpoints, for apps whose routes do not show them.
USUAL_HTTP = ("/mcp", "/mcp/", "/")
USUAL_SSE = ("/sse", "/sse/")

# A name that a server only allows if it allows all of them, as it should behind the guard.
OTHER_HOST = "homeport.invalid"
MISDIRECTED = 421

Contract = dict[str, Any]


async def probe_endpoints(app: ASGIApp) -> tuple[Endpoint, ...]:
    """Finds the endpoints of an app whose routes cannot be read, by requests to the usual paths.

    Raises ServerError if there are none.
    """
    http, guarded = None, None
    for path in USUAL_HTTP:
        try:
            await Probe(app, PROBE_HOST, path).greet()
        except NoMCPEndpoint:
            continue
        except Guarded:
            # The app's own guard answers so on every path.
            guarded = guarded or path
            continue
        except ServerError:
            if path == "/":
                continue
            raise
        http = path
        break
    found = [Endpoint(http, HTTP)] if http else []
    for path in USUAL_SSE:
        if await has_stream(app, path, PROBE_HOST):
            found.append(Endpoint(path, SSE))
            break
    if not found and guarded:
        found.append(Endpoint(guarded, HTTP))
    if not found:
        raise ServerError(
            "the app answers neither POST /mcp nor GET /sse",
            hint="mount the MCP server's streamable HTTP app at /mcp",
        )
    return tuple(found)


async def read_contract(app: ASGIApp, endpoints: Sequence[Endpoint]) -> Contract:
    """Returns the contract of the only endpoint, or what all of them offer together and, as `endpoints`, who offers
    what.
    """
    contracts = {endpoint.path: await _contract(app, endpoint) for endpoint in endpoints}
    if len(contracts) == 1:
        return next(iter(contracts.values()))
    lists = {key: [item for each in contracts.values() for item in each[key]] for _, _, key in LISTS}
    problems = [problem for each in contracts.values() for problem in each.get("problems", ())]
    return {
        "name": "",
        "version": "",
        "instructions": None,
        "capabilities": _union(each["capabilities"] for each in contracts.values()),
        **lists,
        **({"problems": problems} if problems else {}),
        **({"guarded": True} if any(each.get("guarded") for each in contracts.values()) else {}),
        "endpoints": [
            {"path": path, "name": each["name"], "tools": [tool["name"] for tool in each["tools"]]}
            for path, each in contracts.items()
        ],
    }


async def refuses_names(app: ASGIApp, endpoint: Endpoint) -> bool:
    """Tells whether the endpoint checks Host headers itself, as the SDKs do against DNS rebinding (HTTP 421).

    The request is no message, since names are checked before the message is read. Other servers refuse it at once; an
    app of the user's own that raises then has not refused a name.
    """
    try:
        return await Probe(app, OTHER_HOST, endpoint.path).status(b"?") == MISDIRECTED
    except Exception:
        return False


def _union(capabilities: Any) -> Mapping[str, Any]:
    return {name: options for each in capabilities for name, options in each.items()}


async def _contract(app: ASGIApp, endpoint: Endpoint) -> Contract:
    try:
        return await Probe(app, PROBE_HOST, endpoint.path).contract()
    except Guarded as refusal:
        return {**await _behind_the_guard(endpoint, str(refusal)), "guarded": True}
    except NoMCPEndpoint as missing:
        raise ServerError(
            f"POST {endpoint.path} is answered with HTTP {missing}",
            hint="what is in front of the MCP server does not let initialize through to it",
        ) from None


async def _behind_the_guard(endpoint: Endpoint, refusal: str) -> Contract:
    """Returns what the server behind the app's own guard says when it is asked directly."""
    if endpoint.inside is None:
        return _unasked(None)
    try:
        return await Probe(endpoint.inside, PROBE_HOST, endpoint.path).contract()
    except (Guarded, NoMCPEndpoint) as problem:
        told = str(problem) if isinstance(problem, Guarded) else refusal
    except Exception as problem:
        # The handler may need something that its guard puts into the request.
        told = f"{type(problem).__name__}: {problem}"
    return {**_unasked(endpoint.inside), "problems": [{"method": "initialize", "message": told[:MAX_TOLD]}]}


def _unasked(inside: Any) -> Contract:
    """Returns what the SDK's server object declares of itself, without any lists."""
    manager = getattr(inside, "__self__", None) or getattr(inside, "session_manager", None)
    lowlevel: Any = getattr(manager, "app", None)
    said = lowlevel.create_initialization_options() if hasattr(lowlevel, "create_initialization_options") else None
    capabilities = getattr(said, "capabilities", None)
    return {
        "name": getattr(said, "server_name", ""),
        "version": getattr(said, "server_version", ""),
        "instructions": getattr(said, "instructions", None),
        "capabilities": capabilities.model_dump(by_alias=True, exclude_none=True, mode="json") if capabilities else {},
        **{key: [] for _, _, key in LISTS},
    }
