"""Runs an image's server: the command of every image, which needs nothing but the container's environment."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ...errors import ServerError
from ...telemetry import emit, store_output
from ...telemetry.lines import NO_SECRETS
from ...telemetry.scrub import Scrubber
from ..confinement import keep_memory_private
from .cut_off import CutOffCalls
from .first_process import ENDING, FirstProcess, explained
from .job import make_job
from .layout import Layout
from .settings import Settings

if TYPE_CHECKING:
    from .issuer import IssuerWatch


def main(root: Path = Path("/")) -> NoReturn:
    """Serves the image below `root` until a signal ends it, and ends this process, with 0 after such a signal.

    Output is records, JSON objects, one a line.
    """
    # Its environment has the secrets, and what the server starts runs as the same user.
    keep_memory_private()
    try:
        settings = Settings.read(os.environ)
        listener = _bind(settings.port)
        job = make_job(Layout(root), settings, os.environ)
    except ServerError as error:
        store_output(NO_SECRETS)
        emit("error", explained(error.message, error.hint))
        os._exit(1)
    _serve(job, listener, settings.drain_delay_s)


def _serve(job: dict[str, Any], listener: socket.socket, drain_delay_s: float) -> NoReturn:
    ours, theirs = socket.socketpair()
    calls = _calls()
    # A signal waits until there is a handler for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    worker = os.fork()
    if worker == 0:
        ours.close()
        _become_worker(theirs, listener)
    theirs.close()
    store_output(NO_SECRETS, **job["origin"])
    clean, issuer = Scrubber(job["secrets"]).text, _issuer(job["access"])
    first = FirstProcess(worker, ours, listener, clean, drain_delay_s, calls, issuer)
    first.tell(**job, calls=calls.path if calls else None)
    os._exit(first.run())


def _issuer(access: Mapping[str, Any] | None) -> IssuerWatch | None:
    """Returns what fetches the keys of the authorization server whose tokens callers show, None if they show none."""
    if access is None or access["oauth"] is None:
        return None
    # Imported late, since most images have no issuer.
    from .issuer import IssuerWatch

    return IssuerWatch(access["oauth"]["jwks_uri"], access)


def _calls() -> CutOffCalls | None:
    # The server serves without it, too.
    with contextlib.suppress(OSError):
        return CutOffCalls()
    return None


def _become_worker(control: socket.socket, listener: socket.socket) -> NoReturn:
    # A terminal signals the first process alone, which tells this one.
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    # Imported late, since the first process does not need the server's large modules.
    from ..worker import main as work

    work(control, (listener, *socket.socketpair()))


def _bind(port: int) -> socket.socket:
    """Returns a socket on all addresses, of IPv6 too where there is one, which does not listen until the server is
    ready.

    Raises ServerError if it cannot be had.
    """
    try:
        return _bound(socket.AF_INET6, "::", port)
    except OSError:
        # Without IPv6 there is no such address.
        try:
            return _bound(socket.AF_INET, "0.0.0.0", port)  # noqa: S104 - a container's network is its own
        except OSError as error:
            raise ServerError(
                f"port {port} cannot be listened on: {error.strerror}", hint="set PORT to another one"
            ) from error


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((address, port))
    except BaseException:
        listener.close()
        raise
    return listener
