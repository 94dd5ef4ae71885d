"""Runs one worker: loads the server, warms it up, accepts on the project's socket when told, and drains when told.

The same start serves inspection at deploy time: such a worker reports the contract and ends. The first order of a
worker is its Job, which contains environment and secrets, so that they are in no command line and never in a zygote.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import ServerError
from ..guard.names import IN_CONFIG, IN_CONTAINER, AnyName, Names
from ..guard.open_calls import OpenCalls
from ..loading.import_profile import PROFILE, loaded_modules
from ..loading.manifest import APP_FOLDER, Manifest
from ..takeover.transports import install as install_takeover
from ..telemetry import drain_output
from ..telemetry.error_records import ErrorRecords, record_errors
from ..telemetry.lines import LineStream
from .channel import Channel
from .deadline import Deadline
from .job import Job
from .libraries_report import libraries_report
from .limits import limit_process
from .seccomp import confine_calls
from .settling import confine, settle
from .start import Fail, Folders, Prepared, Served, prepare, run, started

if TYPE_CHECKING:
    from ..guard.audit_chain import AuditChain
    from ..guard.judge import Judge
    from ..guard.windows import Rate, Windows
    from .confinement import EmptyRoom

# The seconds that a program has to clean up after it has served.
END_S = 5.0


def main(
    control: socket.socket,
    sockets: Sequence[socket.socket],
    trees: Mapping[Path, int] = MappingProxyType({}),
    empty_room: EmptyRoom | None = None,
    namespace: int | None = None,
) -> NoReturn:
    """Runs a worker process from start to end.

    `sockets` are the listener and the two ends of the exchange of connections (see handover.py), none for an
    inspection. `trees` are mounts of the folders that it may see and does not see yet. `empty_room` is the room that it
    is in, None if it is in none. `namespace` is that of its user (users.py), if it cannot become that without.
    """
    install_takeover()
    code = 1
    try:
        _work(control, sockets, trees, empty_room, namespace)
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    """Ends the process after its exit handlers, without waiting for threads, which might never end."""
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
            if isinstance(stream, LineStream):
                stream.finish()
    with contextlib.suppress(BaseException):
        drain_output(whole=True)
    os._exit(code)


def _work(
    control: socket.socket,
    sockets: Sequence[socket.socket],
    trees: Mapping[Path, int],
    empty_room: EmptyRoom | None,
    namespace: int | None,
) -> None:
    channel = Channel(control)
    first = channel.receive()
    if first is None:
        return
    job = Job.read(first)
    manifest = job.manifest
    limit_process(manifest.memory_mb)
    open_calls = OpenCalls(_place(job.calls, trees)) if job.calls else None
    judge = _judge(job, trees)
    if job.hidden:
        try:
            confine(job, control.fileno(), trees, empty_room, namespace)
        except OSError as error:
            message = f"the platform's own files cannot be hidden from the server: {error}"
            channel.send(event="failed", message=message, hint="see what `homeport doctor` says", trace="")
            raise SystemExit(1) from None
    for descriptor in filter(None, (*trees.values(), namespace)):
        os.close(descriptor)
    confine_calls()
    settle(job)
    bridged = manifest.bridged or manifest.command is not None
    deadline = Deadline(manifest.start_timeout_s, job.bundle / APP_FOLDER, channel, bridged=bridged)

    def fail(error: ServerError) -> NoReturn:
        deadline.reached_start()
        channel.send(event="failed", message=error.message, hint=error.hint, trace=error.trace)
        _leave(1)

    try:
        Worker(job, manifest, channel, sockets, open_calls, judge, deadline.reached_start).run(fail)
    except ServerError as error:
        fail(error)


def _place(path: Path, trees: Mapping[Path, int]) -> Path:
    """Returns where `path` can be opened before this process is in its room."""
    return Path("/proc/self/fd", str(trees[path])) if path in trees else path


def _judge(job: Job, trees: Mapping[Path, int]) -> Judge | None:
    """Returns the judge of the job's calls; they are counted here alone if the file that counts all cannot be used."""
    scopes, limits, windows = job.manifest.scopes, job.manifest.limits, job.windows
    if not scopes and not limits:
        return None
    # Few servers have any.
    from ..guard.judge import Judge
    from ..guard.windows import SharedWindows

    def open_windows(rates: Sequence[Rate]) -> Windows:
        try:
            return SharedWindows(rates, _place(windows, trees) if windows else None)
        except OSError as problem:
            sys.stderr.write(f"[limits] counts the calls of each worker by themselves: {problem}\n")
            return SharedWindows(rates)

    return Judge.of(scopes, limits, job.reads, open_windows)


class Worker:
    def __init__(
        self,
        job: Job,
        manifest: Manifest,
        channel: Channel,
        sockets: Sequence[socket.socket],
        open_calls: OpenCalls | None,
        judge: Judge | None,
        reached_start: Callable[[], None],
    ) -> None:
        self._job = job
        self._manifest = manifest
        self._channel = channel
        self._sockets = sockets
        self._open_calls = open_calls
        self._judge = judge
        self._reached_start = reached_start
        # Sessions are kept beside the working folder, since the server must not see them.
        sessions = job.workdir.parent / "sessions" if manifest.sessions else None
        self._folders = Folders(job.bundle / APP_FOLDER, job.workdir, job.layer, sessions)

    def run(self, fail: Fail) -> None:
        """Runs the server's program to its end."""
        run(self._manifest, self._folders, self._serve, fail)

    async def _serve(self, served: Served) -> None:
        job = self._job
        # An image that runs by itself has them from its environment.
        place = IN_CONFIG if job.origin is None else IN_CONTAINER
        names = AnyName() if job.names is None else Names(job.names, place)
        server = prepare(
            served,
            self._manifest,
            self._folders,
            names,
            (lambda: key) if (key := job.state_key) else None,
            job.access,
            self._judge,
            # A function answers from the record, and does not allow subscriptions.
            listens=not job.record,
        )
        async with started(server.app, self._folders, job.tools) as contract:
            self._reached_start()
            await self._live(server, names, contract)
        _end_within(END_S)

    async def _live(self, server: Prepared, names: Names, contract: Mapping[str, Any] | None) -> None:
        if not self._sockets:
            self._channel.send(
                event="inspected",
                kind=server.kind,
                object=server.name,
                chosen=server.chosen,
                contract=contract,
                modules=loaded_modules(self._folders.app),
                packages=PROFILE.slowest(),
                seconds=PROFILE.total(),
                discovery=await server.app.record() if self._job.record else None,
                libraries=libraries_report(self._folders.layer),
            )
            return
        # Imported late, since uvicorn is in the layer, which is only now on the path.
        from .handover import ALONE, Exchange
        from .http_server import HTTPServer

        gc.collect()
        gc.freeze()
        server.app.guard.passing.open_calls = self._open_calls
        tools = contract["tools"] if contract is not None else self._job.tools
        server.app.guard.passing.tools = frozenset(tool["name"] for tool in tools) if tools is not None else None
        if self._job.operations:
            # Imported late, since only a supervisor wants them.
            from ..guard.operations import Operations

            server.app.guard.passing.operations = Operations()
        folders, known = self._folders, server.app.guard.passing.tools
        record_errors(ErrorRecords(folders.app, folders.layer, self._job.secrets, known))
        if self._job.audit is not None:
            # Imported late, since few projects have it.
            from ..guard.audit import Audit

            settings = self._job.audit
            chain = _audit_chain(self._job)
            server.app.guard.passing.audit = Audit(settings["arguments"], settings["redact"], chain)
        listener, give, take = self._sockets
        at_once = ALONE if self._job.alone else 1
        http = HTTPServer(server.app, listener, Exchange(give, take, at_once), self._job.idle_s, self._job.relay_key)
        self._channel.send(event="ready")
        await http.run(self._channel)


def _audit_chain(job: Job) -> AuditChain | None:
    """Returns what binds the lines of the audit log, None where a supervisor does."""
    if job.origin is None:
        return None
    from ..guard.audit_chain import AuditChain

    return AuditChain(job.origin.get("project"), job.origin.get("release"))


def _end_within(seconds: float) -> None:
    """Ends the process after it has served, whatever its program does after its run() has returned."""
    timer = threading.Timer(seconds, _leave, [0])
    timer.daemon = True
    timer.start()
