"""Runs the platform's first process, which starts the control plane, and starts it again when it was killed or updated.

What must outlive a control plane is kept here (supervisor.descriptor_store): the lock of the home, every listening
socket, and the descriptors of each worker, so that neither clients nor workers notice. It knows nothing of what it
keeps, so it hardly ever has to be updated itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from homeport_runtime.hosts.confinement import keep_memory_private

from ..errors import HomeportError
from ..home import Home, open_home
from ..supervisor.open_files import raise_open_files
from ..supervisor.store_messages import MAX_DESCRIPTORS, MAX_MESSAGE, Kept, inheritance
from .first_process import go_on_in_child
from .stopped import reason_to_stop

# The exit code of a control plane that is to be started again (EX_TEMPFAIL of <sysexits.h>).
RESTART = 75
# A control plane that ran for less has crashed on its start. The pauses, in seconds, are after so many such crashes in
# a row.
SHORT_LIFE_S = 2.0
PAUSES_S = (0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# The number of starts that may fail in a row after one has worked.
MOST_FAILURES = 7
# The seconds between attempts to take over from a platform that is stopping.
TAKE_OVER_S = 0.1


def main() -> None:
    go_on_in_child()
    try:
        home = open_home()
        # The descriptor is bare, so that only the end of the process closes it.
        lock = os.open(home.platform_lock, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        if not _take(lock, home):
            return
    except (HomeportError, OSError) as error:
        print(reason_to_stop(error), flush=True)
        raise SystemExit(1) from error
    keep_memory_private()
    raise_open_files()
    raise SystemExit(Master(lock).run())


def _take(lock: int, home: Home) -> bool:
    """Takes the lock, and returns False if another platform serves this home; one that is stopping is waited for."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if home.is_served():
                return False
            time.sleep(TAKE_OVER_S)
        else:
            return True


class Master:
    """Holds the home's lock by the descriptor `lock`.

    The control plane has it, too, so that no other platform starts before both have ended.
    """

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._kept: dict[str, Kept] = {}
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False
        # Whether the present control plane has started, and whether any has.
        self._started = False
        self._has_started = False

    def run(self) -> int:
        """Returns the exit code when the platform has ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        quick = failures = 0
        while True:
            begun = time.monotonic()
            code = self._run_control_plane()
            if self._stopping or code == 0:
                return 0
            failures = 0 if self._started else failures + 1
            if not self._has_started or failures == MOST_FAILURES:
                return 1
            quick = quick + 1 if code != RESTART and time.monotonic() - begun < SHORT_LIFE_S else 0
            time.sleep(PAUSES_S[min(quick, len(PAUSES_S) - 1)])

    def _run_control_plane(self) -> int:
        """Runs one control plane from start to end, and returns its exit code."""
        self._started = False
        control, theirs = socket.socketpair()
        kept = list(self._kept.values())
        inherited = [theirs.fileno(), self._lock, *(descriptor for each in kept for descriptor in each.descriptors)]
        with control:
            with theirs:
                command = [sys.executable, "-m", "platform_cli.controlplane", str(theirs.fileno())]
                self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=inherited)
            if self._stopping:
                # The signal came before there was a process to pass it on to.
                self._child.terminate()
            with contextlib.suppress(OSError):
                control.sendall(inheritance(kept))
                self._listen(control)
        code = self._child.wait()
        self._child = None
        return code

    def _listen(self, control: socket.socket) -> None:
        """Carries out the control plane's messages until it has ended."""
        rest, arrived = b"", []
        while True:
            data, descriptors, _flags, _address = socket.recv_fds(control, MAX_MESSAGE, MAX_DESCRIPTORS)
            if not data:
                return
            arrived += descriptors
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._hear(json.loads(line), arrived)

    def _hear(self, message: dict[str, object], arrived: list[int]) -> None:
        """Carries out a message, and takes its descriptors from those that have `arrived`."""
        match message:
            case {"keep": str(name), "note": str(note), "count": 0}:
                if known := self._kept.get(name):
                    self._kept[name] = Kept(name, note, known.descriptors)
            case {"keep": str(name), "note": str(note), "count": int(count)}:
                self._drop(name)
                kept = Kept(name, note, tuple(arrived[:count]))
                del arrived[:count]
                self._kept[name] = kept
                if len(kept.descriptors) < count:
                    # This process may have reached its limit, and an incomplete set is of no use.
                    self._drop(name)
            case {"drop": str(name)}:
                self._drop(name)
            case {"started": True}:
                self._started = self._has_started = True
                # The client that started this process has read its errors (client.py), and nobody reads them from here
                # on.
                os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def _drop(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        for descriptor in kept.descriptors if kept else ():
            os.close(descriptor)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._child is not None:
            self._child.terminate()


if __name__ == "__main__":
    main()
