"""Stands in for init where a platform is the first process of a container: it reaps orphans and passes signals on."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from homeport_runtime.hosts.init import reap

FIRST = 1
# What an engine ends a container with, and what a terminal does.
PASSED_ON = (signal.SIGTERM, signal.SIGINT)


def go_on_in_child() -> None:
    """Returns in a child of this process if this is the first of a PID namespace, which then ends as the child does.

    Orphans are handed to the first process of their namespace (pid_namespaces(7)); the platform itself waits for its
    own children alone, and could take none of others for them.
    """
    if os.getpid() != FIRST:
        return
    awaited = {*PASSED_ON, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    child = os.fork()
    if child:
        _stay(child, awaited)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited)


def _stay(child: int, awaited: set[signal.Signals]) -> NoReturn:
    while True:
        number = signal.sigwait(awaited)
        if number in PASSED_ON:
            os.kill(child, number)
        elif (code := reap(child)) is not None:
            # The container ends with this process.
            os._exit(code)
