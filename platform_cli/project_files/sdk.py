"""Infers from a server's source which versions of mcp and fastmcp it runs on; the rules were measured
with those SDKs.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable

from .syntax import called

SDK_MODULES = frozenset({"mcp", "mcp_types", "fastmcp"})

# In mcp 1.x the low-level Server registers handlers by decorators; 2.x takes them as `on_...=` arguments.
_V1_DECORATORS = {
    "list_tools", "call_tool", "list_prompts", "get_prompt", "list_resources", "list_resource_templates",
    "read_resource", "subscribe_resource", "unsubscribe_resource", "set_logging_level", "completion",
    "progress_notification",
}  # fmt: skip
# Modules, and names in others, that 2.3.0 does not have any more of 1.30.0.
_V1_MODULES = (
    "mcp.server.fastmcp", "mcp.server.FastMCP", "mcp.server.experimental", "mcp.server.websocket",
    "mcp.server.lowlevel.experimental", "mcp.server.lowlevel.func_inspection", "mcp.client.experimental",
    "mcp.client.websocket", "mcp.shared.experimental", "mcp.shared.progress", "mcp.shared.response_router",
    "mcp.shared.session", "mcp.shared.version",
    "mcp.client.streamable_http.streamablehttp_client", "mcp.server.lowlevel.server.request_ctx",
    "mcp.shared.context.RequestContext", "mcp.shared.memory.create_connected_server_and_client_session",
)  # fmt: skip
_V2_MODULES = ("mcp.server.mcpserver", "mcp.server.MCPServer", "mcp.MCPServer", "mcp_types")
_LOWLEVEL = ("mcp.server.Server", "mcp.server.lowlevel", "mcp.Server")
# The arguments that fastmcp 3 refuses in the constructor (its server.py, _REMOVED_KWARGS).
_FASTMCP_2_ARGUMENTS = {
    "host", "port", "sse_path", "message_path", "streamable_http_path", "json_response", "stateless_http", "debug",
    "log_level", "on_duplicate_tools", "on_duplicate_resources", "on_duplicate_prompts", "tool_serializer",
    "include_tags", "exclude_tags", "tool_transformations", "dependencies",
}  # fmt: skip
# What 3.4.11 does not have any more of 2.13 and 2.14, and 4.2.3 not of 3.4.11.
_FASTMCP_2_MODULES = (
    "fastmcp.contrib.component_manager.component_service", "fastmcp.prompts.prompt_manager",
    "fastmcp.resources.resource_manager", "fastmcp.server.auth.providers.bearer", "fastmcp.server.sampling.handler",
    "fastmcp.server.tasks.converters", "fastmcp.server.tasks.protocol", "fastmcp.tools.tool_manager",
    "fastmcp.utilities.mcp_config",
)  # fmt: skip
_FASTMCP_3_MODULES = (
    "fastmcp.cli.tasks", "fastmcp.client.mixins.task_management", "fastmcp.client.tasks",
    "fastmcp.experimental.sampling", "fastmcp.experimental.server", "fastmcp.experimental.utilities",
    "fastmcp.server.app", "fastmcp.server.apps", "fastmcp.server.auth.authorization", "fastmcp.server.openapi",
    "fastmcp.server.proxy", "fastmcp.server.sampling", "fastmcp.server.tasks",
)  # fmt: skip
_FASTMCP_3_METHODS = {"import_server", "as_proxy", "get_tools"}


def sdk_requirements(trees: Iterable[ast.Module], imported: Collection[str]) -> set[str]:
    """Returns the requirements on mcp and fastmcp for `trees`, which import the dotted names `imported`.

    A sign of mcp 1.x takes precedence over one of 2.x, since code that supports both runs on 1.x too. mcp 1.x beside
    fastmcp means fastmcp 3 at most, since 4 needs mcp 2.
    """
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found: set[str] = set()
    v1 = _is_v1(imported, calls)
    if any(_within(name, ("mcp", "mcp_types")) for name in imported):
        found.add("mcp<2" if v1 else "mcp>=2,<3" if _is_v2(imported, calls) else "mcp")
    if any(_within(name, ("fastmcp",)) for name in imported):
        old = v1 or _is_fastmcp_3(imported, calls)
        found.add("fastmcp<3" if _is_fastmcp_2(imported, calls) else "fastmcp<4" if old else "fastmcp")
    return found


def _is_v1(imported: Collection[str], calls: Iterable[ast.Call]) -> bool:
    if any(_within(name, _V1_MODULES) or (name.startswith("mcp.") and name.endswith(".McpError")) for name in imported):
        return True
    # A decorator such as `@server.list_tools()` has no positional argument.
    return _lowlevel(imported) and any(
        isinstance(call.func, ast.Attribute) and call.func.attr in _V1_DECORATORS and not call.args for call in calls
    )


def _is_v2(imported: Collection[str], calls: Iterable[ast.Call]) -> bool:
    if any(_within(name, _V2_MODULES) or (name.startswith("mcp.") and name.endswith(".MCPError")) for name in imported):
        return True
    return _lowlevel(imported) and any(
        called(call) == "Server" and any((keyword.arg or "").startswith("on_") for keyword in call.keywords)
        for call in calls
    )


def _is_fastmcp_2(imported: Collection[str], calls: Iterable[ast.Call]) -> bool:
    if any(_within(name, _FASTMCP_2_MODULES) for name in imported):
        return True
    if any(_within(name, ("mcp.server.fastmcp",)) for name in imported):
        return False  # the arguments may be meant for the FastMCP of mcp
    return any(
        called(call) == "FastMCP" and any(keyword.arg in _FASTMCP_2_ARGUMENTS for keyword in call.keywords)
        for call in calls
    )


def _is_fastmcp_3(imported: Collection[str], calls: Iterable[ast.Call]) -> bool:
    if any(_within(name, _FASTMCP_3_MODULES) for name in imported):
        return True
    for call in calls:
        if isinstance(call.func, ast.Attribute):
            owner = call.func.value.id if isinstance(call.func.value, ast.Name) else ""
            if call.func.attr in _FASTMCP_3_METHODS or (call.func.attr == "sample" and owner in ("ctx", "context")):
                return True
    return False


def _lowlevel(imported: Collection[str]) -> bool:
    return any(_within(name, _LOWLEVEL) or name == "mcp.server" for name in imported)


def _within(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)
