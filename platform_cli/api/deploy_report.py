"""What `homeport deploy` and `homeport promote` print with --json when they are done."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from .plan import TimedStage


class ShownFinding(TypedDict):
    """Something that the person should know: its `kind` for programs, and in words what is so and what to do."""

    kind: str
    text: str
    hint: str


class ShownEndpoint(TypedDict):
    """One of several MCP servers in an app: its path, what it calls itself, the names of its tools, and its URL."""

    path: str
    name: str
    tools: list[str]
    url: str


class DeployReport(TypedDict):
    """What serves after a deploy; `changed` is False where it did already. `token` is there when one was made, and
    never told again; `endpoints` are there for an app with several servers.
    """

    ok: Literal[True]
    project: str
    release: str | None
    target: str
    url: str
    mcp_url: str
    sse_url: str
    auth: Literal["none", "token"] | None
    changed: bool
    token: NotRequired[str]
    endpoints: NotRequired[list[ShownEndpoint]]
    findings: list[ShownFinding]
    stages: list[TimedStage]


# Its key `from` is a word of Python's own, which a class cannot have: the project and release that were promoted.
PromoteReport = TypedDict(
    "PromoteReport",
    {
        "ok": Literal[True],
        "from": str,
        "project": str,
        "release": str | None,
        "url": str,
        "mcp_url": str,
        "auth": Literal["none", "token"] | None,
        "changed": bool,
        "token": NotRequired[str],
    },
)
