"""Implements the CLI's side of the control plane's API."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import quote, urlencode

from ..config.names import AT, is_name
from ..errors import NotFoundError
from ..origin import Origin
from ..records import read_record
from .lifecycle import Lifecycle

if TYPE_CHECKING:
    from ..api.alert import AlertTested, ListedAlert, NewAlert, WantedAlert
    from ..api.audit_entry import AuditEntry, Verified
    from ..api.audit_export import ListedAuditExport, NewAuditExport, WantedAuditExport
    from ..api.audit_query import AuditQuery
    from ..api.build_event import BuildEvent
    from ..api.client_token import ListedClientToken, NewClientToken, WantedClientToken
    from ..api.console import ConsoleCode
    from ..api.deployment import BuildLog, DeploymentEntry
    from ..api.difference import ToolsDifference
    from ..api.error_group import Change, ErrorGroup, ErrorGroupDetail
    from ..api.inspection import Inspected
    from ..api.link import ListedLink, Unlinked, WantedLink
    from ..api.log_record import LogRecord
    from ..api.metrics import By, Metrics
    from ..api.platform import DomainSet, Isolate, ListedToken, NewToken, PublicName, WastePiece
    from ..api.release import Release
    from ..api.resource import IssuerKeys, ListedResource, WantedResource
    from ..api.secret import ListedSecret, SecretsSet, SecretUnset
    from ..api.sign_in import ListedGrant, SignInLink, SignInsEnded, WaitingSignIn
    from ..api.status import ChangedStatus, DeployedStatus, Status, StatusWithToken


class PlatformClient(Lifecycle):
    """Asks the control plane of one home, which `ensure_running` starts if needed, or a running one at `remote`.

    An answer may take `timeout_s` seconds, any time with None.
    """

    def clean(self, *, dry_run: bool) -> list[WastePiece]:
        answer: list[WastePiece] = self._request("POST", "/v1/platform/clean", {"dry_run": dry_run})
        return answer

    def build(self, archive: IO[bytes]) -> Iterator[BuildEvent]:
        """Uploads a project (see upload.pack_project), and yields the events of its build there."""
        return map(json.loads, self._lines("POST", "/v1/builds", archive))

    def set_domain(self, domain: str | None) -> list[StatusWithToken]:
        """Returns the status of each project that everyone could call before, with its new `token`."""
        answer: DomainSet = self._request("PUT", "/v1/domain", {"domain": domain})
        return answer["closed"]

    def isolate(self, how: Isolate) -> None:
        """Changes how servers are kept apart, those that run now included."""
        self._request("PUT", "/v1/platform/isolation", {"isolate": how})

    def open_edge(self) -> str | None:
        """Makes Caddy serve the public names, and returns the domain, None without one.

        Raises PlatformError if Caddy does not.
        """
        answer: PublicName = self._request("POST", "/v1/edge")
        return answer["domain"]

    def create_token(self, name: str) -> str:
        answer: NewToken = self._request("POST", "/v1/tokens", {"name": name})
        return answer["token"]

    def console_code(self) -> ConsoleCode:
        """Returns a code that opens the console in one browser."""
        answer: ConsoleCode = self._request("POST", "/v1/console/codes")
        return answer

    def waiting_sign_in(self, code: str) -> WaitingSignIn:
        """Returns the sign-in that shows `code`, without approving it."""
        answer: WaitingSignIn = self._request("GET", f"/v1/sign-ins/{quote(code, safe='')}")
        return answer

    def approve_sign_in(self, code: str, user: str) -> WaitingSignIn:
        answer: WaitingSignIn = self._request("POST", f"/v1/sign-ins/{quote(code, safe='')}", {"user": user})
        return answer

    def sign_in_link(self, project: str) -> SignInLink:
        answer: SignInLink = self._request("POST", _signed_in_path(project, "sign-in-link"))
        return answer

    def users(self, project: str) -> list[ListedGrant]:
        answer: list[ListedGrant] = self._request("GET", _signed_in_path(project, "users"))
        return answer

    def end_sign_ins(self, project: str, user: str) -> SignInsEnded:
        answer: SignInsEnded = self._request("DELETE", _signed_in_path(project, f"users/{quote(user, safe='')}"))
        return answer

    def issuer_keys(self) -> IssuerKeys:
        """Returns the public keys of the platform's authorization server."""
        answer: IssuerKeys = self._request("GET", "/v1/issuer")
        return answer

    def resources(self) -> list[ListedResource]:
        answer: list[ListedResource] = self._request("GET", "/v1/resources")
        return answer

    def register_resource(self, wanted: WantedResource) -> ListedResource:
        answer: ListedResource = self._request("PUT", "/v1/resources", dict(wanted))
        return answer

    def remove_resource(self, name: str) -> None:
        self._request("DELETE", f"/v1/resources/{quote(name, safe='')}")

    def tokens(self) -> list[ListedToken]:
        answer: list[ListedToken] = self._request("GET", "/v1/tokens")
        return answer

    def revoke_token(self, name: str) -> None:
        if not is_name(name):
            raise NotFoundError(
                f"there is no platform token {name!r}", hint="`homeport platform token list` shows them"
            )
        self._request("DELETE", f"/v1/tokens/{name}")

    def inspect(
        self, draft: Path, project: str | None, place: str, container: Mapping[str, object] | None = None
    ) -> Inspected:
        """Loads a bundle's draft: with `container`, as for a deploy, in one whose image is its base alone."""
        said = {"project": project, "folder": place, "path": self._programs()}
        body = {"draft": draft.name, **said, **({"container": container} if container else {})}
        answer: Inspected = self._request("POST", "/v1/inspections", body)
        return answer

    def metrics(self, project: str, since: float, by: By) -> Metrics:
        """Returns what a project did from `since` on, seconds since 1970."""
        answer: Metrics = self._request("GET", _path(project, f"metrics?{urlencode({'since': since, 'by': by})}"))
        return answer

    def errors(self, project: str) -> list[ErrorGroup]:
        answer: list[ErrorGroup] = self._request("GET", _path(project, "errors"))
        return answer

    def error(self, project: str, group: int) -> ErrorGroupDetail:
        answer: ErrorGroupDetail = self._request("GET", _path(project, f"errors/{group}"))
        return answer

    def change_error(self, project: str, group: int, state: Change) -> ErrorGroupDetail:
        answer: ErrorGroupDetail = self._request("PATCH", _path(project, f"errors/{group}"), {"state": state})
        return answer

    def secrets(self, project: str) -> list[ListedSecret]:
        answer: list[ListedSecret] = self._request("GET", _path(project, "secrets"))
        return answer

    def set_secrets(self, project: str, values: Mapping[str, str]) -> SecretsSet:
        answer: SecretsSet = self._request("PUT", _path(project, "secrets"), {"values": dict(values)})
        return answer

    def keep_secrets(self, project: str, values: Mapping[str, str]) -> None:
        """Sets secrets for the releases to come; the active one keeps those that it has."""
        self._request("PUT", _path(project, "secrets"), {"values": dict(values), "apply": False})

    def unset_secret(self, project: str, name: str) -> SecretUnset:
        answer: SecretUnset = self._request("DELETE", _path(project, f"secrets/{name}"))
        return answer

    def projects(self) -> list[Status]:
        answer: list[Status] = self._request("GET", "/v1/projects")
        return answer

    def status(self, project: str) -> Status:
        answer: Status = self._request("GET", _path(project))
        return answer

    def versions(self, project: str) -> list[Release]:
        answer: list[Release] = self._request("GET", _path(project, "releases"))
        return answer

    def deploy(
        self, project: str, bundle: str, place: str, origin: Origin, container: Mapping[str, object] | None = None
    ) -> DeployedStatus:
        """Deploys a bundle: with `container`, what the API has of one, into that."""
        said = {"author": origin.author, "seconds": origin.seconds, "path": self._programs()}
        body = {"bundle": bundle, "folder": place, "container": container, **said}
        answer: DeployedStatus = self._request("POST", _path(project, "releases"), body)
        return answer

    def _programs(self) -> str | None:
        """Returns the PATH of the person's shell, None for a platform on another machine, which has its own."""
        return os.environ.get("PATH") if self.remote is None else None

    def renew_token(self, project: str) -> StatusWithToken:
        answer: StatusWithToken = self._request("POST", _path(project, "token"))
        return answer

    def create_client_token(self, project: str, wanted: WantedClientToken) -> NewClientToken:
        answer: NewClientToken = self._request("POST", _path(project, "tokens"), dict(wanted))
        return answer

    def client_tokens(self, project: str) -> list[ListedClientToken]:
        answer: list[ListedClientToken] = self._request("GET", _path(project, "tokens"))
        return answer

    def revoke_client_token(self, project: str, token_id: str) -> None:
        if not re.fullmatch("[0-9a-f]{8}", token_id):
            raise NotFoundError(
                f"{project} has no client token {token_id!r}", hint=f"`homeport token list {project}` shows them"
            )
        self._request("DELETE", _path(project, f"tokens/{token_id}"))

    def add_alert(self, wanted: WantedAlert) -> NewAlert:
        answer: NewAlert = self._request("POST", "/v1/alerts", dict(wanted))
        return answer

    def alerts(self) -> list[ListedAlert]:
        answer: list[ListedAlert] = self._request("GET", "/v1/alerts")
        return answer

    def test_alert(self, alert_id: str) -> AlertTested:
        answer: AlertTested = self._request("POST", f"{_alert_path(alert_id)}/test")
        return answer

    def remove_alert(self, alert_id: str) -> None:
        self._request("DELETE", _alert_path(alert_id))

    def rollback(self, project: str, release: int | None) -> ChangedStatus:
        answer: ChangedStatus = self._request("POST", _path(project, "rollback"), {"release": release})
        return answer

    def link(self, wanted: WantedLink) -> ListedLink:
        answer: ListedLink = self._request("POST", "/v1/github/links", dict(wanted))
        return answer

    def links(self) -> list[ListedLink]:
        answer: list[ListedLink] = self._request("GET", "/v1/github/links")
        return answer

    def unlink(self, project: str) -> Unlinked:
        if not is_name(project):
            raise NotFoundError(f"no repository deploys {project!r}", hint="`homeport repos` shows those that do")
        answer: Unlinked = self._request("DELETE", f"/v1/github/links/{project}")
        return answer

    def deployments(self, project: str) -> list[DeploymentEntry]:
        answer: list[DeploymentEntry] = self._request("GET", _path(project, "deployments"))
        return answer

    def build_log(self, project: str, release: int | None) -> BuildLog:
        query = f"?release={release}" if release is not None else ""
        answer: BuildLog = self._request("GET", _path(project, "builds") + query)
        return answer

    def difference(self, project: str, old: int, new: int) -> ToolsDifference:
        answer: ToolsDifference = self._request("GET", _path(project, f"difference?old={old}&new={new}"))
        return answer

    def destroy(self, project: str) -> None:
        self._request("DELETE", _path(project))

    def logs(self, project: str, *, follow: bool, since: float = 0.0) -> Iterator[LogRecord]:
        """Yields records from about `since` on, seconds since 1970."""
        lines = self._lines("GET", f"{_path(project, 'logs')}?follow={str(follow).lower()}&since={since}")
        return (record for line in lines if (record := read_record(line)) is not None)

    def audit(self, project: str, query: AuditQuery) -> Iterator[AuditEntry]:
        """Yields the lines of a project's audit log that the query selects, the oldest first."""
        wanted = {name: value for name, value in asdict(query).items() if value}
        return map(json.loads, self._lines("GET", f"{_path(project, 'audit')}?{urlencode(wanted)}"))

    def verify_audit(self, project: str) -> Verified:
        answer: Verified = self._request("GET", _path(project, "audit/verification"))
        return answer

    def add_audit_export(self, wanted: WantedAuditExport) -> NewAuditExport:
        answer: NewAuditExport = self._request("POST", "/v1/audit-exports", dict(wanted))
        return answer

    def audit_exports(self) -> list[ListedAuditExport]:
        answer: list[ListedAuditExport] = self._request("GET", "/v1/audit-exports")
        return answer

    def remove_audit_export(self, export: str) -> None:
        self._request("DELETE", f"/v1/audit-exports/{quote(export, safe='')}")


def _path(project: str, rest: str = "") -> str:
    if not is_name(project):
        raise NotFoundError(f"there is no project {project!r}", hint="`homeport list` shows the projects")
    return f"/v1/projects/{project}" + (f"/{rest}" if rest else "")


def _signed_in_path(name: str, rest: str) -> str:
    """Returns the path of a project, or of a resource elsewhere, that people sign in to."""
    return f"/v1/projects/{quote(name, safe='')}/{rest}" if AT in name else _path(name, rest)


def _alert_path(alert_id: str) -> str:
    if not re.fullmatch("[0-9a-f]{8}", alert_id):
        raise NotFoundError(f"there is no alert {alert_id!r}", hint="`homeport alerts list` shows them")
    return f"/v1/alerts/{alert_id}"
