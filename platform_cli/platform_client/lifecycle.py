"""Starts, restarts and stops the control plane of a home."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import PlatformError
from ..home import Home
from ..interrupts import interrupt_later
from .connections import Remote
from .transport import Transport
from .versions import check_api, check_can_replace

if TYPE_CHECKING:
    from ..api.platform import PlatformState

# The seconds within which a control plane has to start.
START_TIMEOUT_S = 30.0
# The seconds within which it has to stop: more than its workers have for their last requests
# (supervisor.worker.DRAIN_LIMIT_S).
STOP_TIMEOUT_S = 60.0
POLL_S = 0.02
# The seconds for which a control plane that has answered, and still listens, is taken to answer.
ANSWERED_S = 0.2


class Lifecycle(Transport):
    """Starts the control plane of one home if needed; one at `remote` has to run already."""

    def __init__(self, home: Home, *, timeout_s: float | None = None, remote: Remote | None = None) -> None:
        super().__init__(home, timeout_s=timeout_s, remote=remote)
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
        if time.monotonic() < self._answered_at + ANSWERED_S and self._home.is_served():
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
