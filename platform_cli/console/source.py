"""Says what the console's pages are made from: what the API answers, in its shapes, asked for without HTTP."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from ..api.alert import ListedAlert
from ..api.audit_entry import AuditEntry
from ..api.audit_query import AuditQuery
from ..api.call_entry import CallEntry
from ..api.call_query import CallQuery
from ..api.client_token import ListedClientToken
from ..api.deployment import BuildLog, DeploymentEntry
from ..api.difference import ToolsDifference
from ..api.error_group import ErrorGroup, ErrorGroupDetail
from ..api.log_record import LogRecord
from ..api.metrics import By, ClientCount, Metrics, MetricsRow, ReleaseCount
from ..api.platform import ListedToken, PlatformState
from ..api.release import Release
from ..api.secret import ListedSecret
from ..api.sign_in import ListedGrant
from ..api.status import Status


class Source(Protocol):
    """Answers as the API does; whatever names a project raises NotFoundError if it does not exist."""

    def platform(self) -> PlatformState: ...

    def free_bytes(self) -> int:
        """Returns how much room the disk of the platform's state has."""
        ...

    def projects(self) -> list[Status]: ...

    def status(self, project: str) -> Status: ...

    def releases(self, project: str) -> list[Release]: ...

    def contract(self, project: str) -> Mapping[str, Any] | None:
        """Returns what the active release offers, None if it is not known."""
        ...

    def deployments(self, project: str) -> list[DeploymentEntry]: ...

    async def differences(
        self, project: str, pairs: Collection[tuple[int, int]]
    ) -> dict[tuple[int, int], ToolsDifference]:
        """Returns what has changed from the first release of each pair to the second."""
        ...

    def build_log(self, project: str, release: int) -> BuildLog:
        """Returns how the platform built a release.

        Raises NotFoundError if it did not.
        """
        ...

    def repository(self, project: str) -> str | None:
        """Returns the URL of the repository whose pushes are deployed to a project, None without one."""
        ...

    async def break_down(self, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
        """Returns what a project did, by each of `bys`."""
        ...

    async def totals(self, projects: Collection[str], since: float, until: float) -> dict[str, MetricsRow]:
        """Returns the sums of what projects did, by their names."""
        ...

    async def clients(self, project: str, since: float, until: float) -> list[ClientCount]:
        """Returns how much each client has asked for, as far as that is known: for 7 days."""
        ...

    async def release_counts(self, project: str, since: float) -> dict[str, ReleaseCount]:
        """Returns how much each release has answered since a time."""
        ...

    async def calls(self, project: str, query: CallQuery, most: int) -> list[CallEntry]: ...

    async def names(self, project: str, most: int) -> tuple[list[str], list[str]]:
        """Returns the names of a project's tools and of its clients, at most so many of each."""
        ...

    async def logs(self, project: str, request: str, most: int) -> list[LogRecord]:
        """Returns the newest records of a request."""
        ...

    async def open_errors(self, projects: Collection[str]) -> dict[str, int]:
        """Returns how many groups of errors are open, by project."""
        ...

    async def errors(self, project: str) -> list[ErrorGroup]: ...

    async def error(self, project: str, group: int) -> ErrorGroupDetail: ...

    def secrets(self, project: str) -> list[ListedSecret]: ...

    def client_tokens(self, project: str) -> list[ListedClientToken]: ...

    def users(self, project: str) -> list[ListedGrant]: ...

    async def audit(self, project: str, query: AuditQuery, most: int) -> list[AuditEntry]:
        """Returns the newest lines of an audit log, the newest first."""
        ...

    def alerts(self) -> list[ListedAlert]: ...

    def tokens(self) -> list[ListedToken]: ...
