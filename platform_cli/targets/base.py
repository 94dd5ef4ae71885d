"""What targets have in common: the plan of a deploy, and the everyday operations on a project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..log_query import LogQuery
from ..pipeline.model import Bundle

if TYPE_CHECKING:
    from ..api.deployment import DeploymentEntry
    from ..api.difference import ToolsDifference
    from ..api.log_record import LogRecord
    from ..api.release import Release
    from ..api.secret import ListedSecret, SecretsSet, SecretUnset
    from ..api.status import ChangedStatus, Status, StatusWithToken


@dataclass(frozen=True, slots=True)
class Step:
    """One change that applying would make, in words for the person."""

    action: str
    detail: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done for `bundle`, which was made from `place`, to serve as `project`; no steps means that it does
    already.
    """

    project: str
    bundle: Bundle
    place: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """What the end of a project removes for good, and what stays though it has a name of the project's, in words for
    the person. `asks` says that it takes a yes even where nobody can be asked, such as in scripts.
    """

    gone: tuple[str, ...]
    kept: tuple[str, ...] = ()
    asks: bool = True


class Target(Protocol):
    """Where releases run, after they were deployed. Operations on a project that is not there raise NotFoundError."""

    name: str

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
