"""Defines what `homeport deploy` and `homeport promote` print with --json at their end."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from .plan import TimedStage


class ShownFinding(TypedDict):
    """Holds a finding for the person: its `kind` for programs, and in words what is so and what to do."""

    kind: str
    text: str
    hint: str


class ShownEndpoint(TypedDict):
    """Describes one of several MCP servers in an app: its path, its own name, the names of its tools, and its URL."""

    path: str
    name: str
    tools: list[str]
    url: str


class DeployReport(TypedDict):
    """Reports what serves after a deploy.

    `changed` is False if it served before. `token` is present only if a token was made, and is never shown again.
    `endpoints` are present only for an app with several servers.
    """

    ok: Literal[True]
    project: str
    release: str | None
    target: str
    url: str
    mcp_url: str
    sse_url: str
    auth: Literal["none", "token", "oauth"] | None
    changed: bool
    token: NotRequired[str]
    endpoints: NotRequired[list[ShownEndpoint]]
    findings: list[ShownFinding]
    stages: list[TimedStage]


# Needs the functional form, since its key `from` is a keyword of Python: the project and release that were promoted.
PromoteReport = TypedDict(
    "PromoteReport",
    {
        "ok": Literal[True],
        "from": str,
        "project": str,
        "release": str | None,
        "url": str,
        "mcp_url": str,
        "auth": Literal["none", "token", "oauth"] | None,
        "changed": bool,
        "token": NotRequired[str],
    },
)
