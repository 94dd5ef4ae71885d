"""Describes the configuration of each client: its file, its table of servers, and the entry for one server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import platformdirs

Transport = Literal["http", "sse"]
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClientFormat:
    """Describes one client's configuration.

    `path` returns the file for all of the user's projects, `section` is the key of its servers. `entry` makes a
    server's entry from its URL, with the bearer token if there is one. `note` tells the person what else to do.
    `reads_sse` means that the client can use an entry for HTTP+SSE from this file.
    """

    title: str
    path: Callable[[], Path]
    section: str
    entry: Callable[[str, Transport, str | None], Entry]
    note: str
    reads_sse: bool = True

    def config(
        self, name: str, url: str, transport: Transport, token: str | None = None
    ) -> dict[str, dict[str, Entry]]:
        return {self.section: {name: self.entry(url, transport, token)}}


def _application_config(*parts: str) -> Path:
    """Returns a file of a desktop application: below ~/Library/Application Support on macOS, ~/.config on Linux."""
    return platformdirs.user_config_path().joinpath(*parts)


def _claude_code_path() -> Path:
    return Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home()) / ".claude.json"


def _headers(token: str | None) -> Entry:
    return {"headers": {"Authorization": f"Bearer {token}"}} if token else {}


def _by_url(url: str, transport: Transport, token: str | None) -> Entry:
    """Returns the entry that many clients read, which names the transport only if it is not the usual one."""
    return {"url": url, **({"transport": transport} if transport == "sse" else {}), **_headers(token)}


def _by_type(url: str, transport: Transport, token: str | None) -> Entry:
    return {"type": transport, "url": url, **_headers(token)}


def _by_bridge(url: str, transport: Transport, token: str | None) -> Entry:
    """Returns an entry that starts mcp-remote, which relays everything to a URL (https://github.com/geelen/mcp-remote).

    Claude Desktop's file can only start programs, and the app drops entries that have a URL.
    """
    if transport == "sse":
        return _by_url(url, transport, token)
    entry: Entry = {"command": "npx", "args": ["-y", "mcp-remote", url]}
    if token:
        # Some clients split an argument at its spaces, so the header's value is in a variable.
        entry["args"] += ["--header", "Authorization:${AUTHORIZATION}"]
        entry["env"] = {"AUTHORIZATION": f"Bearer {token}"}
    return entry


# Claude Code: https://code.claude.com/docs/en/mcp (user scope); Cursor: https://cursor.com/docs/mcp (global);
# VS Code: https://code.visualstudio.com/docs/copilot/reference/mcp-configuration (user profile)
CLIENTS: Mapping[str, ClientFormat] = {
    "claude-desktop": ClientFormat(
        "Claude Desktop",
        lambda: _application_config("Claude", "claude_desktop_config.json"),
        "mcpServers",
        _by_bridge,
        "Claude Desktop starts mcp-remote with npx, so Node.js has to be installed; restart Claude Desktop to load it. "
        "For a public https URL, Settings > Connectors > Add custom connector needs neither",
        reads_sse=False,
    ),
    "claude-code": ClientFormat(
        "Claude Code", _claude_code_path, "mcpServers", _by_type, "in a running session, /mcp shows the server"
    ),
    "cursor": ClientFormat(
        "Cursor", lambda: Path.home() / ".cursor" / "mcp.json", "mcpServers", _by_url, "Cursor shows it under MCP tools"
    ),
    "vscode": ClientFormat(
        "VS Code",
        lambda: _application_config("Code", "User", "mcp.json"),
        "servers",
        _by_type,
        "`MCP: List Servers` in VS Code starts it; .vscode/mcp.json in a workspace has the same form",
    ),
}
