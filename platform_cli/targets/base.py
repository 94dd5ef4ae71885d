"""What a target is: everything that commands ask of the place where releases run.

A deploy goes through `deploying`, `with_secrets`, `build`, `plan` and `apply`, in this order; each takes what the one
before it returned. All other operations are on projects that are deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from homeport_runtime.loading.manifest import ManifestData

from ..config.project import Project
from ..log_query import LogQuery
from ..origin import Origin
from ..pipeline.code import Code
from ..pipeline.stages import Stages
from ..target_table import TARGETS

if TYPE_CHECKING:
    from ..api.deployment import DeploymentEntry
    from ..api.difference import ToolsDifference
    from ..api.log_record import LogRecord
    from ..api.release import Release
    from ..api.secret import ListedSecret, SecretsSet, SecretUnset
    from ..api.status import ChangedStatus, DeployedStatus, Status, StatusWithToken
    from ..doctor.machine import Diagnosis

# Tells the person a line.
Note: TypeAlias = Callable[[str], None]
# Keeps a project's new bearer token, which nobody can read again, by the URL that it is for.
KeepToken: TypeAlias = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a target has built of `project`, and no release yet. `manifest` is its bundle's; of a bundle that was built
    elsewhere it has the contract alone. `code` is the server's own source.
    """

    project: Project
    manifest: ManifestData
    code: tuple[Code, ...]

    @property
    def contract(self) -> Mapping[str, Any] | None:
        """What the server offers, in MCP's own words; None for an app without MCP."""
        return self.manifest["contract"]


@dataclass(frozen=True, slots=True)
class Step:
    """One change that applying would make, in words for the person."""

    action: str
    detail: str


class Plan(Protocol):
    """What has to be done for a candidate to serve as `project`; no steps means that it does already. `notes` are for
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
    """What came of a plan: the project's `status`, whether it has `changed`, and the bearer token if one was made.
    `notes` are what the person has to do next.
    """

    status: Status | DeployedStatus
    changed: bool
    token: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promotion:
    """The `release` of project `source`, as a candidate for another project. `origin` is where it came from."""

    source: str
    release: str
    candidate: Candidate
    origin: Origin


@dataclass(frozen=True, slots=True)
class Removal:
    """What the end of a project removes for good, and what stays though it has a name of the project's, in words for
    the person. `asks` says that it takes a yes even where nobody can be asked, such as in scripts.
    """

    gone: tuple[str, ...]
    kept: tuple[str, ...] = ()
    asks: bool = True


CandidateT = TypeVar("CandidateT", bound=Candidate)
PlanT = TypeVar("PlanT", bound=Plan)


class Target(Protocol[CandidateT, PlanT]):
    """Where releases run. Operations on a project that is not there raise NotFoundError.

    `name` is the one that people write; `where` follows "is live", such as "on Lambda".
    """

    name: str
    where: str

    @classmethod
    def opened(cls, project: Project, platform: str | None, note: Note) -> Target[CandidateT, PlanT]:
        """The target as `project` configures it. `platform` is the URL of the platform that was asked for, if one was.

        Nothing is started or asked. Raises ConfigError.
        """
        ...

    @staticmethod
    def diagnose(project: Project) -> Diagnosis:
        """Looks whether there is what a deploy of `project` needs; what is lacking is in what it returns."""
        ...

    def check_builds_here(self) -> None:
        """Raises InputError where projects are built on another machine, which has not this one's programs."""
        ...

    def connect(self, *, changes: bool) -> None:
        """Starts what has to run before the target answers. One of another homeport is replaced by a command that
        `changes` something.
        """
        ...

    def deploying(self) -> AbstractContextManager[None]:
        """The time of one deploy. What it needs is begun, beside the build where that takes long; what turned out not
        to be needed is ended.
        """
        ...

    def with_secrets(self, project: Project, values: Mapping[str, str]) -> Project:
        """The project under the name that its secrets belong to, with `values` kept among them. What serves goes on
        with those that it has.

        Raises ConfigError where a secret that it needs is not set, or nobody chose the name.
        """
        ...

    def build(self, project: Project, stages: Stages, note: Note) -> CandidateT:
        """Builds and inspects the project; nothing that serves is touched. Raises ConfigError for what cannot run on
        this target.
        """
        ...

    def promoted(self, source: Project, to: Project) -> AbstractContextManager[Promotion]:
        """The release that `source` serves, as a candidate for `to`; nothing is built. Raises InputError where the
        target cannot promote.
        """
        ...

    def plan(self, candidate: CandidateT) -> PlanT:
        """Compares the candidate with what is there; reads only. Raises InputError for a name that nobody chose, and
        that another folder's project has.
        """
        ...

    def apply(self, plan: PlanT, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
        """Carries the plan out, and returns when the release answers; with no steps it asks for the project's status
        alone. `keep` is called as soon as there is a new token, `origin` when the release is there.

        Raises HomeportError with the old release still serving.
        """
        ...

    def ready(self, plan: PlanT, applied: Applied, stages: Stages) -> None:
        """Waits for what the release, which answers by now, keeps ready beyond that. Raises ReleaseError."""
        ...

    def deployed_from(self, place: str) -> str | None:
        """The one project that was deployed from the folder `place`; None for none, several, or where the target does
        not know.
        """
        ...

    def mcp_url(self, project: str) -> str:
        """The MCP endpoint, on the way from this machine that is the shortest."""
        ...

    def list_projects(self) -> list[Status]: ...

    def status(self, project: str) -> Status: ...

    def versions(self, project: str) -> list[Release]: ...

    def deployments(self, project: str) -> list[DeploymentEntry]: ...

    def difference(self, project: str, old: int, new: int) -> ToolsDifference:
        """What changed for clients between two releases."""
        ...

    def rollback(self, project: str, release: int | None) -> ChangedStatus: ...

    def removal(self, project: str) -> Removal: ...

    def destroy(self, project: str) -> None: ...

    def secrets(self, project: str) -> list[ListedSecret]: ...

    def set_secrets(self, project: str, values: Mapping[str, str]) -> SecretsSet: ...

    def unset_secret(self, project: str, name: str) -> SecretUnset: ...

    def renew_token(self, project: str) -> StatusWithToken: ...

    def logs(self, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
        """Records, oldest first: all that `query` wants, and others where that is simpler."""
        ...


# Whoever asks a target without knowing which one it is hands back what it was given.
AnyTarget: TypeAlias = Target[Any, Any]


def find_target(name: str) -> type[AnyTarget]:
    """The class of the target called `name`, which is imported only now."""
    module, _, attribute = TARGETS[name].partition(":")
    found: type[AnyTarget] = getattr(__import__(module, fromlist=[attribute]), attribute)
    return found
