"""Makes a console without a platform, and the browser that uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
import pytest
from starlette.testclient import TestClient

from platform_cli.api.alert import ListedAlert
from platform_cli.api.audit_entry import AuditEntry
from platform_cli.api.audit_query import AuditQuery
from platform_cli.api.call_entry import CallEntry
from platform_cli.api.call_query import CallQuery
from platform_cli.api.client_token import ListedClientToken
from platform_cli.api.deployment import BuildLog, DeploymentEntry
from platform_cli.api.difference import ToolsDifference
from platform_cli.api.error_group import ErrorFrame, ErrorGroup, ErrorGroupDetail, ErrorRelease, ErrorSample
from platform_cli.api.log_record import LogRecord
from platform_cli.api.metrics import By, ClientCount, Metrics, MetricsRow, MetricsStep, ReleaseCount
from platform_cli.api.platform import ListedToken, PlatformState
from platform_cli.api.release import Release
from platform_cli.api.secret import ListedSecret
from platform_cli.api.sign_in import ListedGrant
from platform_cli.api.status import Status
from platform_cli.console.app import console_app
from platform_cli.console.sessions import Sessions
from platform_cli.errors import NotFoundError

ORIGIN = "http://127.0.0.1:8399"
# What a stranger may have written, wherever a text is a stranger's.
HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script>", "{{9999*9999}}", "javascript:alert(1)",
    '<b data-opens="x" hx-get="/evil">', "\x1b[2J\x00", "\u202egnp.exe\u2066", "\ud800", "A" * 1_000_000,
    "a\r\ndata: b",
)  # fmt: skip


def status(name: str, **changes: Any) -> Status:
    shown: Status = {
        "project": name, "release": "v2", "bundle": "0" * 32, "state": "running", "target": "local", "image": None,
        "published": None,
        "workers": 1, "processes": [1], "last_error": None, "auth": "none", "confined": True, "user": None,
        "folder": "/srv", "deployed_at": 1000.0, "outdated_secrets": [], "memory_mb": None, "architecture": None,
        "instances": None, "hand_made": [], "cost": None, "front": None, "open_errors": 0, "url": "http://127.0.0.1:8400",
        "local_url": "http://127.0.0.1:8400", "mcp_url": "http://127.0.0.1:8400/mcp",
        "sse_url": "http://127.0.0.1:8400/sse",
    }  # fmt: skip
    return {**shown, **changes}  # type: ignore[typeddict-item]


def row(key: str | None, **kinds: int) -> MetricsRow:
    total = sum(kinds.values())
    failed = total - kinds.get("ok", 0)
    return {
        "key": key, "operations": total, "failed": failed, "kinds": kinds, "p50": 1.0, "p95": 20.0, "p99": 3000.0,
        "cold": 1, "bytes_in": 1, "bytes_out": 1, "series": [0, total], "failures": [0, failed],
    }  # fmt: skip


def step(**kinds: int) -> MetricsStep:
    return {"kinds": kinds, "p50": 1.0, "p95": 20.0, "p99": 3000.0}


def release(number: int, state: Literal["active", "inactive", "failed"]) -> Release:
    return {
        "release": f"v{number}", "state": state, "created_at": 1000.0, "bundle": "0" * 32, "reason": "deploy",
        "secrets": {"KEY": 1}, "error": None,
        "origin": {"author": "me", "sha": "0" * 40, "message": None, "seconds": 1.0, "path": None},
    }  # fmt: skip


def deployment(made: str | None, text: str = "text") -> DeploymentEntry:
    return {
        "release": made, "source": "0" * 40, "who": text, "at": 1000.0, "result": "live", "seconds": 1.0,
        "message": text, "error": text,
    }  # fmt: skip


@dataclass
class Shelf:
    """Holds what the console shows, as the platform would answer it; `text` is wherever a stranger's text may be."""

    text: str = "text"
    statuses: list[Status] = field(default_factory=lambda: [status("shop")])
    rows: list[MetricsRow] = field(default_factory=lambda: [row("add", ok=8, exception=2)])
    made: list[Release] = field(default_factory=lambda: [release(2, "active"), release(1, "inactive")])
    deployed: list[DeploymentEntry] = field(default_factory=lambda: [deployment("v2"), deployment("v1")])
    offered: Mapping[str, Any] = field(default_factory=dict)

    def free_bytes(self) -> int:
        return 5 * 10**9

    def projects(self) -> list[Status]:
        return self.statuses

    def status(self, project: str) -> Status:
        found = next((each for each in self.statuses if each["project"] == project), None)
        if found is None:
            raise NotFoundError(f"there is no project {project!r}")
        return found

    def releases(self, project: str) -> list[Release]:
        self.status(project)
        return self.made

    def contract(self, project: str) -> Mapping[str, Any] | None:
        self.status(project)
        return self.offered

    async def break_down(self, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
        total = row(None, ok=8, exception=2)
        return {
            by: {
                "project": project, "since": since, "until": until, "step_s": (until - since) / 2, "by": by,
                "total": total, "rows": self.rows if by == "tool" else [], "steps": [step(), step(ok=8, exception=2)],
            }
            for by in bys
        }  # fmt: skip

    def deployments(self, project: str) -> list[DeploymentEntry]:
        self.status(project)
        return self.deployed

    async def differences(
        self, project: str, pairs: Collection[tuple[int, int]]
    ) -> dict[tuple[int, int], ToolsDifference]:
        difference: ToolsDifference = {
            "added": [self.text], "removed": [], "required": [], "described": [], "breaking": False,
            "lines": [f"+ {self.text}"],
        }  # fmt: skip
        return dict.fromkeys(pairs, difference)

    def build_log(self, project: str, release: int) -> BuildLog:
        return {"log": self.text, "sha": "0" * 40, "state": self.text}

    def repository(self, project: str) -> str | None:
        return self.text

    def platform(self) -> PlatformState:
        return {
            "version": "0.1.0", "api": 1, "pid": 1, "master": 1, "projects": 1, "isolate": "users", "api_url": None,
            "domain": None, "caddyfile": None, "edge_error": self.text,
        }  # fmt: skip

    async def clients(self, project: str, since: float, until: float) -> list[ClientCount]:
        return [{"client": self.text, "operations": 10, "failed": 2, "kinds": {"ok": 8, "exception": 2}}]

    async def release_counts(self, project: str, since: float) -> dict[str, ReleaseCount]:
        return {"v1": {"operations": 10, "failed": 2}}

    async def calls(self, project: str, query: CallQuery, most: int) -> list[CallEntry]:
        return [
            {
                "time": 1000.0, "release": "v1", "method": "tools/call", "name": self.text, "client": self.text,
                "kind": "exception", "code": -32603, "ms": 1.5, "cold": True, "bytes_in": 1, "bytes_out": 2,
                "request": "abc", "trace": self.text,
            }
        ]  # fmt: skip

    async def names(self, project: str, most: int) -> tuple[list[str], list[str]]:
        return [self.text], [self.text]

    async def logs(self, project: str, request: str, most: int) -> list[LogRecord]:
        return [{"time": 1000.0, "level": "info", "message": self.text, "release": "v1"}]

    async def open_errors(self, projects: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(projects, 2)

    async def errors(self, project: str) -> list[ErrorGroup]:
        return [self._group()]

    async def error(self, project: str, group: int) -> ErrorGroupDetail:
        frame: ErrorFrame = {
            "file": self.text, "function": self.text, "line": 2, "own": True, "source": ["def f():", self.text],
            "source_start": 1,
        }  # fmt: skip
        sample: ErrorSample = {
            "time": 1000.0, "release": "v1", "request": self.text, "message": self.text,
            "frames": [frame, {**frame, "own": False, "source": []}],
        }  # fmt: skip
        seen: ErrorRelease = {"release": "v1", "count": 3, "first_seen": 1000.0, "last_seen": 1000.0}
        return {**self._group(), "releases": [seen], "samples": [sample, sample]}

    def _group(self) -> ErrorGroup:
        return {
            "id": 1, "project": "shop", "kind": "exception", "type": self.text, "message": self.text,
            "method": "tools/call", "name": self.text, "where": self.text, "state": "open", "state_release": None,
            "state_at": 1000.0, "count": 3, "first_seen": 1000.0, "first_release": "v1", "last_seen": 1000.0,
            "last_release": "v1",
        }  # fmt: skip

    def secrets(self, project: str) -> list[ListedSecret]:
        return [{"name": "KEY", "version": 2, "versions": [{"version": 1, "set_at": 1000.0, "releases": ["v1"]}]}]

    def client_tokens(self, project: str) -> list[ListedClientToken]:
        return [
            {
                "id": "0" * 8, "client": "cursor", "user": self.text, "scopes": None, "created_at": 1000.0,
                "expires_at": None, "used_at": None,
            }
        ]  # fmt: skip

    def users(self, project: str) -> list[ListedGrant]:
        return [
            {
                "user": self.text, "client": self.text, "client_id": self.text, "scopes": [], "created_at": 1000.0,
                "used_at": 1000.0,
            }
        ]  # fmt: skip

    async def audit(self, project: str, query: AuditQuery, most: int) -> list[AuditEntry]:
        return [
            {
                "seq": 1, "timestamp": "2026-11-29T10:00:00Z", "client_id": self.text, "tool_name": self.text,
                "arguments": {self.text: [self.text]}, "result": "success", "scopes_used": [], "user_id": self.text,
                "ip_address": "127.0.0.1", "method": "tools/call", "project": project, "release": "v1",
                "request": self.text, "ms": 1.0, "prev": "0" * 64, "hash": "0" * 64,
            }
        ]  # fmt: skip

    def alerts(self) -> list[ListedAlert]:
        return [
            {
                "id": "a1", "channel": "webhook", "target": self.text, "project": None, "kinds": ["error"],
                "private": False, "created_at": 1000.0, "sent_at": None, "failed_at": 1000.0, "failure": self.text,
                "error_rate": None, "p95_ms": None, "silent_s": None,
            }
        ]  # fmt: skip

    def tokens(self) -> list[ListedToken]:
        return [
            {"name": "laptop", "kind": "platform", "created_at": 1000.0, "used_at": None, "expires_at": None},
            {"name": "console-00000000", "kind": "console", "created_at": 1.0, "used_at": 2.0, "expires_at": 3.0},
        ]

    async def totals(self, projects: Collection[str], since: float, until: float) -> dict[str, MetricsRow]:
        return {project: row(None, ok=8, exception=2) for project in projects}


class Browser:
    """Is a browser that has a key, and asks as the console's script does."""

    def __init__(self, shelf: Shelf, sessions: Sessions) -> None:
        self.http = TestClient(console_app(shelf, sessions), base_url=ORIGIN, follow_redirects=False)
        answer = self.http.post("/console/login", json={"code": sessions.make_code()})
        self.key: str = answer.json()["key"]

    def page(self, path: str) -> httpx2.Response:
        return self.http.get(f"/console/f{path}", headers={"authorization": f"Bearer {self.key}"})


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    yield Sessions(db)
    db.close()


@pytest.fixture
def browser(shelf: Shelf, sessions: Sessions) -> Browser:
    return Browser(shelf, sessions)
