"""Deploys to a platform, and carries out the everyday operations on its projects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.project import Project
from ...errors import InputError, NotFoundError
from ...home import Home, open_home
from ...origin import Origin
from ...pipeline.build import build
from ...pipeline.code import read_code
from ...pipeline.model import Bundle
from ...pipeline.stages import Stages
from ...platform_client.client import PlatformClient
from ...platform_client.connections import find_remote
from ...platform_client.other_version import connect, note_other_version
from ...secrets.references import check_needed, referenced, with_secret_values
from ..base import Applied, Candidate, Endpoint, KeepToken, Note, Promotion, Removal, Step, Target
from .places import choose_name, deployed_from, known_as, named_in_source

if TYPE_CHECKING:
    from ...api.audit_entry import AuditEntry, Verified
    from ...api.audit_query import AuditQuery
    from ...api.client_token import ListedClientToken, NewClientToken, WantedClientToken
    from ...api.deployment import DeploymentEntry
    from ...api.difference import ToolsDifference
    from ...api.error_group import Change, ErrorGroup, ErrorGroupDetail
    from ...api.inspection import Inspected
    from ...api.log_record import LogRecord
    from ...api.metrics import By, Metrics
    from ...api.release import Release
    from ...api.secret import ListedSecret, SecretsSet, SecretUnset
    from ...api.status import ChangedStatus, Status, StatusWithToken
    from ...doctor.machine import Diagnosis
    from ...log_query import LogQuery
    from ...supervisor.release import Container


@dataclass(frozen=True, slots=True)
class LocalCandidate(Candidate):
    """Is a candidate whose `bundle` is in the platform's home, wherever that is."""

    bundle: Bundle


@dataclass(frozen=True, slots=True)
class LocalPlan:
    """Is a plan; `place` is where `bundle` was made from, as the platform knows it, and `container` the one
    that it is to run in, None without one.
    """

    project: str
    bundle: Bundle
    place: str
    steps: tuple[Step, ...]
    container: Container | None = None
    notes: tuple[str, ...] = ()


class LocalTarget(Target[LocalCandidate, LocalPlan]):
    name = "local"
    where = ""

    def __init__(self, client: PlatformClient, home: Home, note: Note) -> None:
        self._client = client
        self._home = home
        self._note = note

    @classmethod
    def opened(cls, _project: Project, platform: str | None, note: Note) -> LocalTarget:
        home = open_home()
        return cls(PlatformClient(home, remote=find_remote(platform, home) if platform else None), home, note)

    @staticmethod
    def diagnose(_project: Project) -> Diagnosis:
        from ...doctor.machine import diagnose_machine

        return diagnose_machine()

    def check_builds_here(self) -> None:
        if self._client.remote is not None:
            hint = "leave --platform out, or run it over there"
            raise InputError("this acts on the platform of this machine", hint=hint)

    def connect(self, *, changes: bool) -> None:
        connect(self._client, self._note, changes=changes)

    @contextmanager
    def deploying(self) -> Iterator[None]:
        """Starts the platform while the bundle is being built."""
        try:
            self._client.begin_start()
            note_other_version(self._client, self._note, replaced=True)
            yield
        finally:
            self._client.end_unused()

    def with_secrets(self, project: Project, values: Mapping[str, str]) -> Project:
        """Raises InputError, too, if nobody chose a name and the likely one is another project's."""
        if not values and not referenced(project.environment):
            return project
        client = self._client
        client.wait_until_running()
        name = project.name or self.deployed_from(project.place)
        if values:
            name = name or choose_name(project, named_in_source(project), client)
            project = with_secret_values(replace(project, name=name), values, partial(client.keep_secrets, name))
        if not referenced(project.environment):
            return project
        available = [secret["name"] for secret in client.secrets(name) if secret["version"] is not None] if name else []
        return replace(project, name=check_needed(project, name, available))

    def build(self, project: Project, stages: Stages, note: Note) -> LocalCandidate:
        if self._client.remote is None:
            built = build(project, self._home, stages, partial(self._inspect, project), note)
            bundle, code = built.bundle, built.code
        else:
            # Imported late, since only a platform elsewhere needs it.
            from ...platform_client.remote_build import build_remote

            bundle, code = build_remote(self._client, project, stages, note), read_code(project)
        return LocalCandidate(project, bundle.manifest, code, bundle)

    def _inspect(self, project: Project, draft: Path) -> Inspected:
        self._client.wait_until_running()
        return self._client.inspect(draft, project.name, project.place)

    def promoted(self, _source: Project, _to: Project) -> AbstractContextManager[Promotion]:
        raise InputError(
            "promote moves releases on Lambda",
            hint="on a platform deploy the same commit with another --stage, or --target lambda",
        )

    def plan(self, candidate: LocalCandidate) -> LocalPlan:
        self._client.wait_until_running()
        name = choose_name(candidate.project, candidate.contract, self._client)
        bundle, place = candidate.bundle, known_as(candidate.project.place, self._client)
        return LocalPlan(name, bundle, place, tuple(self._steps(name, bundle)))

    def _steps(self, project: str, bundle: Bundle) -> Iterator[Step]:
        try:
            current = self._client.status(project)
        except NotFoundError:
            current = None
        if current is not None and self._serves(current, bundle) and not current["outdated_secrets"]:
            if current["state"] == "down":
                yield Step("open", f"{current['url']} again")
            return
        if current is None:
            yield Step("create", f"project {project} on a port of its own")
        yield Step("start", f"a worker of bundle {bundle.hash[:12]}, and warm it up")
        yield Step("switch", f"{current['url']} to it" if current else "its URL to it")
        if current and current["release"]:
            yield Step("drain", f"the worker of {current['release']}")

    def _serves(self, current: Status, bundle: Bundle) -> bool:
        """Tells whether the project's active release is of this bundle, and runs as this target has it."""
        return current["bundle"] == bundle.hash

    def apply(self, plan: LocalPlan, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
        with stages.run("apply") as stage:
            stage.cached = not plan.steps
            if not plan.steps:
                return Applied(self.status(plan.project), changed=False)
            container = asdict(plan.container) if plan.container else None
            status = self._client.deploy(plan.project, plan.bundle.hash, plan.place, origin(), container)
        token = status.get("token")
        if token is not None:
            for url in {status["url"], status["local_url"]}:
                keep(url, token)
        return Applied(status, changed=status["changed"], token=token)

    def ready(self, plan: LocalPlan, applied: Applied, stages: Stages) -> None:
        """Does nothing, since `apply` has waited for a worker that answers."""

    def deployed_from(self, place: str) -> str | None:
        return deployed_from(place, self._client)

    @contextmanager
    def reached(self, project: str) -> Iterator[Endpoint]:
        """Yields the local URL on the platform's own machine, and the public one elsewhere."""
        status = self.status(project)
        if not self._client.remote:
            status["mcp_url"] = f"{status['local_url']}/mcp"
        yield Endpoint.of(status)

    def list_projects(self) -> list[Status]:
        return self._client.projects()

    def status(self, project: str) -> Status:
        return self._client.status(project)

    def versions(self, project: str) -> list[Release]:
        return self._client.versions(project)

    def deployments(self, project: str) -> list[DeploymentEntry]:
        return self._client.deployments(project)

    def difference(self, project: str, old: int, new: int) -> ToolsDifference:
        return self._client.difference(project, old, new)

    def rollback(self, project: str, release: int | None) -> ChangedStatus:
        return self._client.rollback(project, release)

    def removal(self, project: str) -> Removal:
        return Removal(("its releases", "the files its server wrote", "its logs", "its secrets"), asks=False)

    def destroy(self, project: str) -> None:
        self._client.destroy(project)

    def secrets(self, project: str) -> list[ListedSecret]:
        return self._client.secrets(project)

    def set_secrets(self, project: str, values: Mapping[str, str]) -> SecretsSet:
        return self._client.set_secrets(project, values)

    def unset_secret(self, project: str, name: str) -> SecretUnset:
        return self._client.unset_secret(project, name)

    def renew_token(self, project: str) -> StatusWithToken:
        return self._client.renew_token(project)

    def create_client_token(self, project: str, wanted: WantedClientToken) -> NewClientToken:
        return self._client.create_client_token(project, wanted)

    def client_tokens(self, project: str) -> list[ListedClientToken]:
        return self._client.client_tokens(project)

    def revoke_client_token(self, project: str, token_id: str) -> None:
        self._client.revoke_client_token(project, token_id)

    def metrics(self, project: str, since: float, by: By) -> Metrics:
        return self._client.metrics(project, since, by)

    def errors(self, project: str) -> list[ErrorGroup]:
        return self._client.errors(project)

    def error(self, project: str, group: int) -> ErrorGroupDetail:
        return self._client.error(project, group)

    def change_error(self, project: str, group: int, state: Change) -> ErrorGroupDetail:
        return self._client.change_error(project, group, state)

    def audit(self, project: str, query: AuditQuery) -> Iterator[AuditEntry]:
        return self._client.audit(project, query)

    def verify_audit(self, project: str) -> Verified:
        return self._client.verify_audit(project)

    def logs(self, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
        return self._client.logs(project, follow=follow, since=query.since)
