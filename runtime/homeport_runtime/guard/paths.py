"""Names the paths at which a deployment speaks MCP; an app of the user's own may have paths of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paths:
    """Holds the paths of MCP.

    `mcp` are those of streamable HTTP. Of HTTP+SSE, clients open streams by GET of `streams`, and post at or below
    `messages`.
    """

    mcp: frozenset[str] = frozenset(("/mcp", "/mcp/"))
    streams: frozenset[str] = frozenset(("/sse",))
    messages: tuple[str, ...] = ("/messages",)

    def take_messages(self, path: str) -> bool:
        """Tells whether what is posted to a path is a message."""
        return path in self.mcp or self.are_posted(path)

    def are_posted(self, path: str) -> bool:
        """Tells whether what is posted to a path is a message of HTTP+SSE."""
        return path not in self.mcp and any(path == folder or path.startswith(f"{folder}/") for folder in self.messages)
