"""The embedded platform on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import NotFoundError
from ..log_query import LogQuery
from ..pipeline.model import Bundle
from ..platform_client.client import PlatformClient
from .base import Plan, Removal, Step

if TYPE_CHECKING:
    from ..api.deployment import DeploymentEntry
    from ..api.difference import ToolsDifference
    from ..api.log_record import LogRecord
    from ..api.release import Release
    from ..api.secret import ListedSecret, SecretsSet, SecretUnset
    from ..api.status import ChangedStatus, DeployedStatus, Status, StatusWithToken


class LocalTarget:
    name = "local"

    def __init__(self, client: PlatformClient) -> None:
        self.client = client

    def plan(self, project: str, bundle: Bundle, place: str) -> Plan:
        try:
            current = self.client.status(project)
        except NotFoundError:
            current = None
        if current is not None and current["bundle"] == bundle.hash and not current["outdated_secrets"]:
            steps = [Step("open", f"{current['url']} again")] if current["state"] == "down" else []
            return Plan(project, bundle, place, tuple(steps))
        steps = [] if current else [Step("create", f"project {project} on a port of its own")]
        steps.append(Step("start", f"a worker of bundle {bundle.hash[:12]}, and warm it up"))
        steps.append(Step("switch", f"{current['url']} to it" if current else "its URL to it"))
        if current and current["release"]:
            steps.append(Step("drain", f"the worker of {current['release']}"))
        return Plan(project, bundle, place, tuple(steps))

    def apply(self, plan: Plan, seconds: float) -> DeployedStatus:
        """`seconds` is what it took until here."""
        return self.client.deploy(plan.project, plan.bundle.hash, plan.place, seconds)

    def list_projects(self) -> list[Status]:
        return self.client.projects()

    def status(self, project: str) -> Status:
        return self.client.status(project)

    def versions(self, project: str) -> list[Release]:
        return self.client.versions(project)

    def deployments(self, project: str) -> list[DeploymentEntry]:
        return self.client.deployments(project)

    def difference(self, project: str, old: int, new: int) -> ToolsDifference:
        return self.client.difference(project, old, new)

    def rollback(self, project: str, release: int | None) -> ChangedStatus:
        return self.client.rollback(project, release)

    def removal(self, project: str) -> Removal:
        return Removal(("its releases", "the files its server wrote", "its logs", "its secrets"), asks=False)

    def destroy(self, project: str) -> None:
        self.client.destroy(project)

    def secrets(self, project: str) -> list[ListedSecret]:
        return self.client.secrets(project)

    def set_secrets(self, project: str, values: Mapping[str, str]) -> SecretsSet:
        return self.client.set_secrets(project, values)

    def unset_secret(self, project: str, name: str) -> SecretUnset:
        return self.client.unset_secret(project, name)

    def renew_token(self, project: str) -> StatusWithToken:
        return self.client.renew_token(project)

    def logs(self, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
        return self.client.logs(project, follow=follow, since=query.since)
