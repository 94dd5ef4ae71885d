"""The CLI's side of the control plane's API.

http.client, not a larger library: every command goes through here, and importing httpx alone costs more than all the
rest of an unchanged deploy.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import __version__, errors
from ..config.names import is_name
from ..errors import HomeportError, NotFoundError, PlatformError
from ..home import Home

# Seconds that a control plane has to come up.
START_TIMEOUT_S = 30.0
POLL_S = 0.02


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class PlatformClient:
    """Talks to the control plane of one home; `ensure_running` starts it if it is not there.

    An answer may take `timeout_s` seconds; None waits for it.
    """

    def __init__(self, home: Home, *, timeout_s: float | None = None) -> None:
        self._home = home
        self._timeout_s = timeout_s

    def is_running(self) -> bool:
        try:
            self._request("GET", "/v1/platform")
        except PlatformError:
            return False
        return True

    def begin_start(self) -> None:
        """Starts a control plane in the background if none answers; does not wait for it."""
        try:
            running = self._request("GET", "/v1/platform")
        except PlatformError:
            running = None
        if running is not None:
            if running["version"] == __version__:
                return
            self.stop()
        with self._home.platform_log.open("ab") as log:
            subprocess.Popen(
                [sys.executable, "-m", "platform_cli.controlplane"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )

    def ensure_running(self) -> None:
        self.begin_start()
        self.wait_until_running()

    def wait_until_running(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_running():
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"the platform did not start within {START_TIMEOUT_S:g} s", hint=f"see {self._home.platform_log}"
                )
            time.sleep(POLL_S)

    def stop(self) -> bool:
        """Ends the control plane and its workers, and waits for it; False if none was running."""
        try:
            pid = self._request("GET", "/v1/platform")["pid"]
            self._request("POST", "/v1/platform/stop")
        except PlatformError:
            return False
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._home.socket.exists() or _exists(pid):
            if time.monotonic() > deadline:
                raise PlatformError("the platform did not stop", hint=f"kill {pid}")
            time.sleep(POLL_S)
        return True

    def platform(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._request("GET", "/v1/platform")
        return answer

    def inspect(self, draft: Path) -> dict[str, Any]:
        answer: dict[str, Any] = self._request("POST", "/v1/inspections", {"draft": draft.name})
        return answer

    def projects(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._request("GET", "/v1/projects")
        return answer

    def status(self, project: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._request("GET", _path(project))
        return answer

    def versions(self, project: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self._request("GET", _path(project, "releases"))
        return answer

    def deploy(self, project: str, bundle: str, folder: Path) -> dict[str, Any]:
        body = {"bundle": bundle, "folder": str(folder)}
        answer: dict[str, Any] = self._request("POST", _path(project, "releases"), body)
        return answer

    def rollback(self, project: str, release: int | None) -> dict[str, Any]:
        answer: dict[str, Any] = self._request("POST", _path(project, "rollback"), {"release": release})
        return answer

    def destroy(self, project: str) -> None:
        self._request("DELETE", _path(project))

    def logs(self, project: str, *, follow: bool) -> Iterator[dict[str, Any]]:
        with self._response("GET", f"{_path(project, 'logs')}?follow={str(follow).lower()}") as response:
            for line in response:
                yield json.loads(line)

    def _request(self, method: str, path: str, body: object = None) -> Any:
        with self._response(method, path, body) as response:
            return json.loads(response.read())

    @contextmanager
    def _response(self, method: str, path: str, body: object = None) -> Iterator[http.client.HTTPResponse]:
        connection = _UnixConnection(self._home.socket, self._timeout_s)
        try:
            try:
                payload = None if body is None else json.dumps(body).encode()
                connection.request(method, path, payload, {"Content-Type": "application/json"})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise PlatformError(
                    "the platform does not answer", hint="start it with `homeport platform start`"
                ) from error
            if response.status >= 400:
                raise _error(response)
            yield response
        finally:
            connection.close()


def _path(project: str, rest: str = "") -> str:
    if not is_name(project):
        raise NotFoundError(f"there is no project {project!r}", hint="`homeport list` shows the projects")
    return f"/v1/projects/{project}" + (f"/{rest}" if rest else "")


def _error(response: http.client.HTTPResponse) -> HomeportError:
    """The error that the control plane raised, as the same class."""
    try:
        detail = json.loads(response.read())["error"]
    except (ValueError, KeyError, TypeError):
        return PlatformError(f"the platform answered with HTTP {response.status}", hint="see its log: platform.log")
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, HomeportError) and kind.category == detail["category"]:
            return kind(detail["message"], hint=detail["hint"])
    return HomeportError(detail["message"], hint=detail["hint"])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
