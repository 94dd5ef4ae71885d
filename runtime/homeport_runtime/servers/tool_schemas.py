"""Provides input schemas that are known beforehand, so that a tools/call does not run a tools/list first.

mcp 2.x validates `Mcp-Param-*` headers against the tool's input schema before each tools/call. A server without
`get_tool_input_schema` is asked for its whole list each time: user middleware sees two requests, and with a hundred
tools most of the throughput is lost. A tool that appears later has no schema here, and its headers are not compared
with its arguments, which the SDK does not do either when a listing fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ToolSchemas:
    def __init__(self) -> None:
        self._schemas: dict[str, Mapping[str, Any]] = {}

    def learn(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._schemas = {tool["name"]: tool["inputSchema"] for tool in tools}

    def lookup(self, name: str) -> Mapping[str, Any] | None:
        return self._schemas.get(name)
