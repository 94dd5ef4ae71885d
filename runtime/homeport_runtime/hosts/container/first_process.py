"""Implements the first process of a container, which starts its one worker, ends it in good order, and reaps.

The kernel gives the first process what other processes leave behind, and does not end it by a signal that it has no
handler for. So the server, whose libraries wait for their own children, is a child of it, and hears from it over a
control channel as a platform's worker does from its supervisor.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...telemetry import emit
from ..init import BY_SIGNAL, reap
from .cut_off import CutOffCalls
from .limits import read_limits

if TYPE_CHECKING:
    from .issuer import IssuerWatch

# What ends a container: `docker stop` and Kubernetes send the first, a terminal the second.
ENDING = (signal.SIGTERM, signal.SIGINT)
# The connections that wait to be accepted.
BACKLOG = 1024
# The container's control group, as it sees it.
GROUPS = Path("/sys/fs/cgroup")


class FirstProcess:
    """Is the part of the first process that waits for `worker`, a child that serves `listener`.

    `clean` removes secrets from what the worker says over `control`, and `calls` has those that it is answering, None
    where these are not kept. After a signal to end, the worker accepts for `drain_delay_s` more seconds, finishes its
    requests and ends. A second signal ends it at once. `issuer` knows the keys of the callers' authorization server,
    None where there is none.
    """

    def __init__(
        self,
        worker: int,
        control: socket.socket,
        listener: socket.socket,
        clean: Callable[[str], str],
        drain_delay_s: float,
        calls: CutOffCalls | None,
        issuer: IssuerWatch | None,
    ) -> None:
        self._worker = worker
        self._control = control
        self._listener = listener
        self._clean = clean
        self._drain_delay_s = drain_delay_s
        self._calls = calls
        self._issuer = issuer
        self._rest = b""
        self._reads = True
        self._accepts = False
        self._has_failed = False
        self._signals: list[int] = []
        # When the worker is to be told to close, infinity once it was.
        self._closes_at: float | None = None
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)

    def run(self) -> int:
        """Waits until the worker has ended, and returns the exit code of the container."""
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in ENDING:
            signal.signal(number, lambda number, _frame: self._signals.append(number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if self._issuer is not None:
            self._issuer.start(self._awake)
        while (code := reap(self._worker)) is None:
            self._obey()
            self._wait()
        # What the server has started and left ends with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._worker, signal.SIGKILL)
        if self._reads:
            self._read()
        if not self._has_failed and not self._signals:
            self._explain(code)
        return code

    def _explain(self, code: int) -> None:
        """Writes what ended without being asked to: the worker, and with it the calls that it was answering."""
        if self._calls is not None:
            self._calls.write(_end_of(code), self._clean)
        if code:
            emit("error", explained(f"the server's process has ended ({_end_of(code)})", _hint_of(code)))

    def _awake(self) -> None:
        """Ends a wait, from another thread."""
        # Where there is no room, enough is there to wake it.
        with contextlib.suppress(BlockingIOError):
            self._wake.send(b"\0")

    def tell(self, **order: Any) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps(order).encode() + b"\n")

    def _obey(self) -> None:
        """Does what the signals so far ask for, and tells the worker of new keys."""
        if self._issuer is not None and (access := self._issuer.take_changed()) is not None:
            self.tell(do="access", access=access)
        if len(self._signals) > 1:
            os.kill(self._worker, signal.SIGKILL)
        elif self._signals and self._closes_at is None:
            self._begin_end()
        elif self._closes_at is not None and time.monotonic() >= self._closes_at:
            self._closes_at = math.inf
            self.tell(do="close")

    def _begin_end(self) -> None:
        if self._accepts:
            self.tell(do="announce_close")
            self._closes_at = time.monotonic() + self._drain_delay_s
        else:
            # It has no requests yet, and would not listen until it has started.
            os.kill(self._worker, signal.SIGTERM)
            self._closes_at = math.inf

    def _wait(self) -> None:
        closes_at = self._closes_at
        left = max(closes_at - time.monotonic(), 0.0) if closes_at is not None and closes_at < math.inf else None
        ready, _, _ = select.select([self._woken, *([self._control] if self._reads else [])], [], [], left)
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                while self._woken.recv(4096):
                    pass
        if self._control in ready:
            self._read()

    def _read(self) -> None:
        try:
            data = self._control.recv(64 * 1024)
        except OSError:
            data = b""
        self._reads = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            # Something of the server's may write there, too.
            with contextlib.suppress(ValueError, TypeError, KeyError):
                self._hear(json.loads(line))

    def _hear(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "ready":
            self._listener.listen(BACKLOG)
            self.tell(do="accept")
        elif event == "accepting":
            self._accepts = True
            emit("info", f"serving on port {self._listener.getsockname()[1]}")
        elif event == "stopped":
            # From now on a connection is refused, instead of waiting for nobody.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
        elif event == "relay":
            # There is no other worker that could have the session.
            self.tell(do="relayed", number=message["number"], taken=False)
        elif event == "refused" and message["grant"] is None and self._issuer is not None:
            self._issuer.want()
        elif event == "failed":
            self._has_failed = True
            emit("error", self._clean(explained(message["message"], message["hint"], message["trace"])))


def explained(message: str, hint: str | None, trace: str = "") -> str:
    """Returns an error in one text, with what to do next and where it happened."""
    return "\n".join(filter(None, (message, f"hint: {hint}" if hint else "", trace)))


def _end_of(code: int) -> str:
    if code <= BY_SIGNAL:
        return f"exit code {code}"
    number = code - BY_SIGNAL
    names = {each.value: each.name for each in signal.Signals}
    return f"killed by {names.get(number, f'signal {number}')}"


def _hint_of(code: int) -> str | None:
    # Imported late, since it is rarely so.
    from ..cgroups import Group

    if code != BY_SIGNAL + signal.SIGKILL or not Group((GROUPS, GROUPS / "memory")).lacked_memory():
        return None
    limit = read_limits(GROUPS)["memory"]
    had = f" of {limit / 2**20:.0f} MB" if limit is not None and limit > 0 else ""
    return f"the memory{had} that the container may use was too little: give it more"
