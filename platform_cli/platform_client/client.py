"""Implements the CLI's side of the control plane's API.

It uses http.client, since every command imports this, and importing httpx alone takes longer than the rest of an
unchanged deploy.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from .. import __version__
from ..api.failure import read_error
from ..config.names import is_name
from ..errors import HomeportError, NotFoundError, PlatformError
from ..home import Home, check_socket_folder
from ..interrupts import interrupt_later
from ..origin import Origin
from ..records import read_record
from .connections import Connector, LocalSocket, Remote
from .versions import check_api, check_can_replace

if TYPE_CHECKING:
    from ..api.alert import AlertTested, ListedAlert, NewAlert, WantedAlert
    from ..api.audit_entry import AuditEntry, Verified
    from ..api.audit_export import ListedAuditExport, NewAuditExport, WantedAuditExport
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
    from ..api.platform import DomainSet, Isolate, ListedToken, NewToken, PlatformState, PublicName, WastePiece
    from ..api.release import Release
    from ..api.secret import ListedSecret, SecretsSet, SecretUnset
    from ..api.sign_in import ListedGrant, SignInLink, SignInsEnded, WaitingSignIn
    from ..api.status import ChangedStatus, DeployedStatus, Status, StatusWithToken
    from ..audit.search import AuditQuery

# The seconds within which a control plane has to start.
START_TIMEOUT_S = 30.0
# The seconds within which it has to stop: more than its workers have for their last requests
# (supervisor.worker.DRAIN_LIMIT_S).
STOP_TIMEOUT_S = 60.0
POLL_S = 0.02


class PlatformClient:
    """Talks to the control plane of one home, which `ensure_running` starts if needed, or to a running one at `remote`.

    An answer may take `timeout_s` seconds, any time with None.
    """

    def __init__(self, home: Home, *, timeout_s: float | None = None, remote: Remote | None = None) -> None:
        self.remote = remote
        self._home = home
        self._connector: Connector = remote or LocalSocket(home.socket)
        self._timeout_s = timeout_s
        self._started: subprocess.Popen[bytes] | None = None
        # The version of the platform that answered, None if it is this command's.
        self.other_version: str | None = None

    def is_running(self) -> bool:
        try:
            self._request("GET", "/v1/platform")
        except PlatformError:
            return False
        return True

    def begin_start(self, *, replaces: bool = True) -> None:
        """Starts a control plane in the background if none answers, and with `replaces` in the place of an older one.

        It does not wait for it. Raises PlatformError if the platform that answers cannot be used or replaced.
        """
        if self.remote is not None:
            platform = self.platform()
            self._look_at(platform["version"])
            check_api(platform, self.remote.url)
            return
        try:
            running: PlatformState | None = self.platform()
        except PlatformError:
            running = None
        if running is not None:
            self._look_at(running["version"])
            if self.other_version is None:
                return
            check_can_replace(running["version"])
            if not replaces:
                check_api(running, None)
                return
            if self._is_restarted():
                return
            self.stop()
        self._start()

    def _start(self) -> None:
        if self._started is not None:
            # It has ended, and had nothing to say.
            self._started.communicate()
        with self._home.platform_log.open("ab") as log, interrupt_later():
            self._started = subprocess.Popen(
                [sys.executable, "-m", "platform_cli.controlplane.master"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )

    def end_unused(self) -> None:
        """Ends the control plane that this client has started, unless it has a project by now.

        A command that was refused or interrupted thereby leaves nothing running.
        """
        if self._started is None:
            return
        try:
            platform = self.platform()
        except PlatformError:
            platform = None
        if platform is not None and (platform["projects"] or platform["master"] != self._started.pid):
            return
        self._started.terminate()
        try:
            self._started.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._started.kill()

    def _look_at(self, version: str) -> None:
        self.other_version = version if version != __version__ else None

    def ensure_running(self, *, replaces: bool = True) -> None:
        self.begin_start(replaces=replaces)
        self.wait_until_running()

    def wait_until_running(self) -> None:
        if self.remote is not None:
            return
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_running():
            self._check_started()
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"the platform did not start within {START_TIMEOUT_S:g} s", hint=f"see {self._home.platform_log}"
                )
            time.sleep(POLL_S)
        if self._started is not None and self._started.stdout is not None:
            self._started.stdout.close()

    def _check_started(self) -> None:
        """Raises PlatformError with the reason if the control plane that was started has ended with an error.

        Where none was, or where it left the home to another one, the other one may have been ending itself: a new one
        is started once it has.
        """
        if self._started is None or self._started.poll() == 0:
            if not self._home.is_served():
                self._start()
            return
        if (code := self._started.poll()) is None:
            return
        said = self._started.communicate()[0].decode("utf-8", "replace").strip().splitlines()
        reason = said[0] if said else f"exit {code}"
        hint = said[1] if len(said) > 1 else f"see {self._home.platform_log}"
        raise PlatformError(f"the platform did not start: {reason}", hint=hint)

    def _is_restarted(self) -> bool:
        """Restarts the platform, and tells whether it has this version then.

        One that an earlier version has started may have no master, or a master in another environment than this
        command's.
        """
        try:
            return bool(self.restart()["version"] == __version__)
        except PlatformError:
            return False

    def restart(self) -> PlatformState:
        """Restarts the control plane from the code that its master finds now, waits for it, and returns its state.

        What it serves is not interrupted. Raises PlatformError if it does not start.
        """
        before = self.platform()["pid"]
        self._request("POST", "/v1/platform/restart")
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            with suppress(PlatformError):
                platform = self.platform()
                if platform["pid"] != before:
                    return platform
            time.sleep(POLL_S)
        raise PlatformError("the platform did not start again", hint=f"see {self._home.platform_log}")

    def stop(self) -> bool:
        """Ends the control plane and its workers, and waits for that; returns False if none was running.

        Raises PlatformError if it does not stop.
        """
        try:
            pid = self._request("GET", "/v1/platform")["pid"]
            self._request("POST", "/v1/platform/stop")
        except PlatformError:
            return False
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._home.socket.exists() or _is_locked(self._home.platform_lock):
            if time.monotonic() > deadline:
                raise PlatformError("the platform did not stop", hint=f"kill {pid}")
            time.sleep(POLL_S)
        return True

    def platform(self) -> PlatformState:
        answer: PlatformState = self._request("GET", "/v1/platform")
        return answer

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
        answer: SignInLink = self._request("POST", _path(project, "sign-in-link"))
        return answer

    def users(self, project: str) -> list[ListedGrant]:
        answer: list[ListedGrant] = self._request("GET", _path(project, "users"))
        return answer

    def end_sign_ins(self, project: str, user: str) -> SignInsEnded:
        answer: SignInsEnded = self._request("DELETE", _path(project, f"users/{quote(user, safe='')}"))
        return answer

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

    def _lines(self, method: str, path: str, body: object = None) -> Iterator[bytes]:
        with self._response(method, path, body) as response:
            try:
                yield from response
            except (OSError, http.client.HTTPException) as error:
                raise PlatformError("the platform ended", hint="`homeport platform start`, then again") from error

    def _request(self, method: str, path: str, body: object = None) -> Any:
        with self._response(method, path, body) as response:
            return json.loads(response.read())

    @contextmanager
    def _response(self, method: str, path: str, body: object = None) -> Iterator[http.client.HTTPResponse]:
        if self.remote is None:
            check_socket_folder(self._home)
        connection = self._connector.connection(self._timeout_s)
        try:
            try:
                payload, headers = _payload(body)
                connection.request(method, path, payload, {**self._connector.headers, **headers})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise self._connector.unreachable(error) from error
            if response.status >= 400:
                raise _error(response)
            yield response
        finally:
            connection.close()


def _path(project: str, rest: str = "") -> str:
    if not is_name(project):
        raise NotFoundError(f"there is no project {project!r}", hint="`homeport list` shows the projects")
    return f"/v1/projects/{project}" + (f"/{rest}" if rest else "")


def _alert_path(alert_id: str) -> str:
    if not re.fullmatch("[0-9a-f]{8}", alert_id):
        raise NotFoundError(f"there is no alert {alert_id!r}", hint="`homeport alerts list` shows them")
    return f"/v1/alerts/{alert_id}"


def _error(response: http.client.HTTPResponse) -> HomeportError:
    """Returns the error that the control plane raised, in the same class."""
    try:
        error = read_error(json.loads(response.read()))
    except ValueError:
        error = None
    if error is None:
        return PlatformError(f"the platform answered with HTTP {response.status}", hint="see its log: platform.log")
    return error


def _payload(body: object) -> tuple[bytes | IO[bytes] | None, dict[str, str]]:
    """Returns the body as JSON, or an open file as it is, and its headers."""
    if hasattr(body, "fileno"):
        # A file is sent in chunks, whose end the platform has to wait for: it may answer before it has read a body of
        # known length, and Caddy then breaks off the answer.
        return cast("IO[bytes]", body), {"Content-Type": "application/zip"}
    return None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}


def _is_locked(path: Path) -> bool:
    """Tells whether a control plane holds the lock of its home.

    Its process id would not do: in a container nobody may ever reap the process.
    """
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
