"""Defines a target: everything that commands ask of the place where releases run.

A deploy calls `deploying`, `with_secrets`, `build`, `plan` and `apply`, in this order; each takes what the one before
it returned. All other operations are on projects that are deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from ..config.project import Project
from ..origin import Origin
from ..pipeline.code import Code
from ..pipeline.stages import Stages
from ..target_table import TARGETS

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import ManifestData

    from ..api.audit_entry import AuditEntry, Verified
    from ..api.audit_query import AuditQuery
    from ..api.client_token import ListedClientToken, NewClientToken, WantedClientToken
    from ..api.deployment import DeploymentEntry
    from ..api.difference import ToolsDifference
    from ..api.error_group import Change, ErrorGroup, ErrorGroupDetail
    from ..api.log_record import LogRecord
    from ..api.metrics import By, Metrics
    from ..api.release import Release
    from ..api.secret import ListedSecret, SecretsSet, SecretUnset
    from ..api.status import ChangedStatus, DeployedStatus, Status, StatusWithToken
    from ..doctor.machine import Diagnosis
    from ..log_query import LogQuery

# Shows the person a line.
Note: TypeAlias = Callable[[str], None]
# Stores a project's new bearer token, which cannot be read again, by the URL that it is for.
KeepToken: TypeAlias = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Is what a target has built of `project`, before it is a release.

    `manifest` is its bundle's; of a bundle that was built elsewhere it has only the contract. `code` is the server's
    own source.
    """

    project: Project
    manifest: ManifestData
    code: tuple[Code, ...]

    @property
    def contract(self) -> Mapping[str, Any] | None:
        """Returns what the server offers, in MCP's own words; None for an app without MCP."""
        return self.manifest["contract"]


@dataclass(frozen=True, slots=True)
class Step:
    """Describes one change that applying would make, in words for the person."""

    action: str
    detail: str


class Plan(Protocol):
    """Holds the steps that make a candidate serve as `project`; there are none if it serves already. `notes` are for
    the person.
    """

    @property
    def project(self) -> str: ...

    @property
    def steps(self) -> Sequence[Step]: ...

    @property
    def notes(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """Reports on an applied plan: the project's `status`, whether it has `changed`, and the bearer token if one was
    made.

    `notes` are what the person has to do next.
    """

    status: Status | DeployedStatus
    changed: bool
    token: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promotion:
    """Holds the `release` of project `source`, as a candidate for another project; `origin` is where the release came
    from.
    """

    source: str
    release: str
    candidate: Candidate
    origin: Origin


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Is how this machine reaches a project's MCP endpoint: by `url`.

    `name` is the URL that the project has for everybody, and for which this machine keeps its token. With `has_token`
    nobody gets in without one.
    """

    url: str
    name: str
    has_token: bool

    @classmethod
    def of(cls, status: Status) -> Endpoint:
        """Returns the endpoint of a project that is reached by its own URL."""
        return cls(status["mcp_url"], status["mcp_url"], status["auth"] == "token")


@dataclass(frozen=True, slots=True)
class Removal:
    """Lists what destroying a project removes, and what is kept though it has a name of the project's, for the person.

    `asks` means that it needs a confirmation even where nobody can be asked, such as in scripts.
    """

    gone: tuple[str, ...]
    kept: tuple[str, ...] = ()
    asks: bool = True


CandidateT = TypeVar("CandidateT", bound=Candidate)
PlanT = TypeVar("PlanT", bound=Plan)


class Target(Protocol[CandidateT, PlanT]):
    """Is the place where releases run; operations on a project that does not exist raise NotFoundError.

    `name` is the one that people write; `where` follows "is live", such as "on Lambda".
    """

    name: str
    where: str

    @classmethod
    def opened(cls, project: Project, platform: str | None, note: Note) -> Target[CandidateT, PlanT]:
        """Returns the target as `project` configures it, without starting or asking anything.

        `platform` is the URL of the platform that was asked for, None if none was. Raises ConfigError for a
        configuration that the target cannot have.
        """
        ...

    @staticmethod
    def diagnose(project: Project) -> Diagnosis:
        """Checks whether a deploy of `project` finds what it needs, and returns what it found."""
        ...

    def check_builds_here(self) -> None:
        """Raises InputError if projects are built on another machine, which does not have this one's programs."""
        ...

    def connect(self, *, changes: bool) -> None:
        """Starts what has to run before the target answers.

        A platform of another version is replaced only by commands that make `changes`.
        """
        ...

    def deploying(self) -> AbstractContextManager[None]:
        """Encloses one deploy: it starts what the deploy needs, beside the build if that takes long, and ends what it
        did not.
        """
        ...

    def with_secrets(self, project: Project, values: Mapping[str, str]) -> Project:
        """Returns the project under the name that its secrets belong to, with `values` stored among them.

        The active release keeps the values that it has. Raises ConfigError if a secret that it needs is not set, or if
        nobody chose the name.
        """
        ...

    def build(self, project: Project, stages: Stages, note: Note) -> CandidateT:
        """Builds and inspects the project, without touching what serves.

        Raises ConfigError for what cannot run on this target.
        """
        ...

    def promoted(self, source: Project, to: Project) -> AbstractContextManager[Promotion]:
        """Yields the release that `source` serves, as a candidate for `to`, without a build.

        Raises InputError if the target cannot promote.
        """
        ...

    def plan(self, candidate: CandidateT) -> PlanT:
        """Compares the candidate with what exists, and only reads.

        Raises InputError for a name that nobody chose, and that another folder's project has.
        """
        ...

    def apply(self, plan: PlanT, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
        """Applies the plan, and returns when the release answers; without steps it only asks for the project's status.

        `keep` is called as soon as there is a new token, `origin` when the release exists. Raises HomeportError, with
        the old release still serving.
        """
        ...

    def ready(self, plan: PlanT, applied: Applied, stages: Stages) -> None:
        """Waits for the instances that the release keeps ready beyond the one that answers.

        Raises ReleaseError if they do not start.
        """
        ...

    def deployed_from(self, place: str) -> str | None:
        """Returns the one project that was deployed from the folder `place`.

        It is None if there is none or several, or if the target does not know.
        """
        ...

    def reached(self, project: str) -> AbstractContextManager[Endpoint]:
        """Yields the MCP endpoint by the shortest way from this machine, which lasts as long as the block."""
        ...

    def list_projects(self) -> list[Status]: ...

    def status(self, project: str) -> Status: ...

    def versions(self, project: str) -> list[Release]: ...

    def deployments(self, project: str) -> list[DeploymentEntry]: ...

    def difference(self, project: str, old: int, new: int) -> ToolsDifference:
        """Returns what changed for clients between two releases."""
        ...

    def rollback(self, project: str, release: int | None) -> ChangedStatus: ...

    def removal(self, project: str) -> Removal: ...

    def destroy(self, project: str) -> None: ...

    def secrets(self, project: str) -> list[ListedSecret]: ...

    def set_secrets(self, project: str, values: Mapping[str, str]) -> SecretsSet: ...

    def unset_secret(self, project: str, name: str) -> SecretUnset: ...

    def renew_token(self, project: str) -> StatusWithToken: ...

    def create_client_token(self, project: str, wanted: WantedClientToken) -> NewClientToken: ...

    def client_tokens(self, project: str) -> list[ListedClientToken]: ...

    def revoke_client_token(self, project: str, token_id: str) -> None: ...

    def metrics(self, project: str, since: float, by: By) -> Metrics:
        """Returns what a project did from `since` on, seconds since 1970.

        Raises InputError for more than is known, or can be read.
        """
        ...

    def errors(self, project: str) -> list[ErrorGroup]:
        """Returns the groups of errors of a project, those that are open first.

        Raises InputError where errors are not recorded, as do the next two.
        """
        ...

    def error(self, project: str, group: int) -> ErrorGroupDetail: ...

    def change_error(self, project: str, group: int, state: Change) -> ErrorGroupDetail:
        """Sets the state of a group.

        Raises InputError where none can be kept.
        """
        ...

    def audit(self, project: str, query: AuditQuery) -> Iterator[AuditEntry]:
        """Yields the lines of the audit log that `query` wants, the oldest first."""
        ...

    def verify_audit(self, project: str) -> Verified: ...

    def logs(self, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
        """Yields records, the oldest first: all that `query` wants, and others where that is simpler."""
        ...


# Is for callers that do not know which target it is, and give back what it returned.
AnyTarget: TypeAlias = Target[Any, Any]


def find_target(name: str) -> type[AnyTarget]:
    """Returns the class of the target called `name`, which is imported only now."""
    module, _, attribute = TARGETS[name].partition(":")
    found: type[AnyTarget] = getattr(__import__(module, fromlist=[attribute]), attribute)
    return found
