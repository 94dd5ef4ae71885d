"""Names the kinds of failure of an operation: one word each, in its record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..protocol.jsonrpc import METHOD_NOT_FOUND
from ..telemetry.failures import take_failure

# The code for a resource that does not exist (MCP 2025-11-25, server/resources, "Error Handling").
RESOURCE_NOT_FOUND = -32002
# The reason of a refusal that says that a caller called too often (guard.limits).
RATE_LIMITED = "rate_limited"


def kind_of(
    request: str, name: object, answer: Mapping[str, Any] | None, tools: Collection[str] | None, result: str | None
) -> str:
    """Returns the kind of a failure that was answered, or of one without an answer.

    `name` is the tool's, None for other operations, and `tools` are those that exist, None if nobody knows; `result` is
    what the guard itself has decided (guard.caller.RESULT).
    """
    noted = take_failure(request)
    if result == "timeout":
        return result
    if name is not None and tools is not None and not (isinstance(name, str) and name in tools):
        return "unknown"
    if noted is not None:
        return noted
    code = code_of(answer)
    if code in (METHOD_NOT_FOUND, RESOURCE_NOT_FOUND):
        return "unknown"
    return "tool" if answer is not None and "error" not in answer else "protocol"


def refused_kind(reason: str) -> str:
    """Returns the kind of a refusal by its reason."""
    return "limited" if reason == RATE_LIMITED else "refused"


def code_of(answer: Mapping[str, Any] | None) -> int | None:
    """Returns the code of a JSON-RPC error, None if there is none."""
    error = answer.get("error") if answer is not None else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 2**31 else None
