"""One worker process as the supervisor sees it: started, ready, accepting, draining, gone."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from homeport_runtime.hosts.whereabouts import WHERE
from homeport_runtime.telemetry.scrub import Scrubber

from ..errors import InspectError, ReleaseError
from .launch import Launched, Launcher
from .liveness import Pulse
from .logbook import text_of
from .output_pipe import MAX_LINE, OutputPipe
from .release import RunnableRelease

# A process that says nothing has the time its manifest gives it and this much more, in seconds.
START_GRACE_S = 15.0
# Longer than a worker gives its own requests to finish (homeport_runtime.hosts.http_server.DRAIN_S).
DRAIN_LIMIT_S = 40.0
# One that does not even stop accepting is not waited for.
STOP_LIMIT_S = 2.0
# Lines of a server's output that are shown when it does not start.
SHOWN_LINES = 15

LineSink = Callable[[bytes, str, int], None]


class State(enum.Enum):
    """STARTING: loads and warms up. READY: warm, does not accept yet. SERVING: accepts. DRAINING: finishes what it
    has. GONE: the process has ended.
    """

    STARTING = "starting"
    READY = "ready"
    SERVING = "serving"
    DRAINING = "draining"
    GONE = "gone"


class Worker:
    """Made by `start_worker`. `sink` gets each line of output with its level and the process id.

    Whatever the process says comes through here, and leaves without the values of its secrets.
    """

    def __init__(self, release: RunnableRelease, launched: Launched) -> None:
        self.release = release
        self.pid = launched.pid
        self.state = State.STARTING
        self.gone = asyncio.Event()
        self._stopped = asyncio.Event()
        self.open_requests = 0
        self.pulse = Pulse()
        self.on_idle: Callable[[Worker], None] = _ignore
        self.on_load: Callable[[Worker], None] = _ignore
        self.on_relay: Callable[[Worker, dict[str, Any]], None] = lambda _worker, _message: None
        self._launched = launched
        self._exit_code: int | None = None
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._writer: asyncio.StreamWriter | None = None
        self._scrubber = Scrubber({})
        self._said: deque[str] = deque(maxlen=SHOWN_LINES)

    async def open(self, job: Mapping[str, Any], sink: LineSink) -> None:
        """Connects the control channel, hands over the job and follows the output."""
        self._launched.control.setblocking(False)
        self._scrubber = Scrubber(job["secrets"])
        clean = self._scrubber.line
        reader, self._writer = await asyncio.open_connection(sock=self._launched.control, limit=MAX_LINE)
        self._send(**job)

        def hear(line: bytes, level: str) -> None:
            if self.state is State.STARTING:
                self._said.append(text_of(clean(line)))
            sink(clean(line), level, self.pid)

        output = [
            OutputPipe(self._launched.stdout, lambda line: hear(line, "info")),
            OutputPipe(self._launched.stderr, lambda line: hear(line, "error")),
        ]
        listening = asyncio.create_task(self._listen(reader))
        self._tasks = [listening, asyncio.create_task(self._reap(listening, output))]

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                message: dict[str, Any] = json.loads(line)
                if message["event"] == "idle":
                    if self.state is State.SERVING:
                        self.on_idle(self)
                elif message["event"] == "stopped":
                    self._stopped.set()
                elif message["event"] in ("relay", "relayed"):
                    self.on_relay(self, message)
                elif message["event"] == "load":
                    self.pulse.beat()
                    self.open_requests = message["open"]
                    self.on_load(self)
                else:
                    self._answers.put_nowait(message)
        self._answers.put_nowait({"event": "gone"})

    async def _reap(self, listening: asyncio.Task[None], output: list[OutputPipe]) -> None:
        following = [asyncio.create_task(pipe.follow()) for pipe in output]
        self._exit_code = await self._launched.ended
        if self._exit_code is None:
            # Its zygote died before it: the end of the control channel is the end of the process.
            await listening
        # A program that the server left behind goes with its group.
        self._signal(signal.SIGKILL)
        for task in following:
            task.cancel()
        await asyncio.wait(following)
        for pipe in output:
            pipe.finish()
        self.state = State.GONE
        self._stopped.set()
        if self._writer is not None:
            self._writer.close()
        self.gone.set()

    def _send(self, **message: Any) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def expect(self, event: str, timeout: float) -> dict[str, Any]:
        """Waits for the worker to say `event`; raises ReleaseError with its own reason if it cannot."""
        try:
            message = await asyncio.wait_for(self._answers.get(), timeout)
        except TimeoutError:
            self.kill()
            raise ReleaseError(
                await self._with_last_words(f"the server's process did not answer within {timeout:g} s"),
                hint=f"see `homeport logs {self.release.project}`",
            ) from None
        if message["event"] == event:
            clean: dict[str, Any] = self._scrubber.prose(message)
            return clean
        if message["event"] == "failed":
            trace = message.get("trace")
            text = f"{message['message']}\n{trace}" if trace else message["message"]
            hint = message.get("hint")
            reason = await self._with_last_words(self._scrubber.text(text))
            raise InspectError(reason, hint=hint and self._scrubber.text(hint))
        await asyncio.wait_for(self.gone.wait(), START_GRACE_S)
        reason = f"the server's process ended while it started ({self.exit_reason()})"
        raise ReleaseError(await self._with_last_words(reason), hint=f"see `homeport logs {self.release.project}`")

    async def _with_last_words(self, reason: str) -> str:
        """`reason`, and below it what the process printed before its end, which often says more."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), STOP_LIMIT_S)
        words = [line for line in self._said if line.strip() and line.strip() not in reason]
        return "\n".join([reason, "it printed:", *(f"  {line}" for line in words)] if words else [reason])

    def exit_reason(self) -> str:
        code = self._exit_code
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return "its end was not seen" if code is None else f"exit {code}"

    async def accept(self) -> None:
        self._send(do="accept")
        await self.expect("accepting", START_GRACE_S)
        self.state = State.SERVING

    def tell(self, **order: Any) -> None:
        """An order that has no answer."""
        self._send(**order)

    def share(self, workers: int) -> None:
        """It hands its part of its connections to another worker: they are `workers` now."""
        self._send(do="share", workers=workers)

    def ask_where(self) -> None:
        """It has been silent: it goes on if it was only stopped, and writes where its threads are."""
        self._signal(signal.SIGCONT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, WHERE)

    async def hand_over(self, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Its connections go to the project's other workers, or wait in the exchange; returns when it has ended."""
        await self._end("hand_over", limit_s)

    async def close(self, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Nobody goes on: it finishes its requests and closes its connections; returns when it has ended."""
        await self._end("close", limit_s)

    async def _end(self, order: str, limit_s: float) -> None:
        """What does not end in time is killed."""
        if self.state is State.GONE:
            return
        self.state = State.DRAINING
        self._send(do=order)
        try:
            await asyncio.wait_for(self.gone.wait(), limit_s)
        except TimeoutError:
            self.kill()
            await self.gone.wait()

    async def stopped(self) -> None:
        """Returns when it takes no new connections any more: a moment after it was told to."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), STOP_LIMIT_S)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # The worker leads its own process group, so that programs it started go with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _ignore(_worker: Worker) -> None:
    """Nobody has asked to be told."""


async def start_worker(
    launcher: Launcher,
    release: RunnableRelease,
    job: Mapping[str, Any],
    *,
    sockets: Sequence[socket.socket],
    sink: LineSink,
) -> Worker:
    """Starts a process for `job`; it is STARTING when this returns."""
    worker = Worker(release, await launcher.launch(release, sockets))
    try:
        await worker.open(job, sink)
    except BaseException:
        worker.kill()
        raise
    return worker


def serving_job(release: RunnableRelease, workdir: Path, state_key: str, *, proven: bool) -> dict[str, Any]:
    """A worker of a release that is `proven` need not warm up before it accepts: another one has done it."""
    alone = release.max_workers == 1 and release.min_workers <= 1
    serving = {"mode": "serve", "state_key": state_key, "alone": alone, "tools": release.tools if proven else None}
    serving["token_hash"] = release.token_hash
    return {**_job(release, workdir), **serving}


def inspection_job(release: RunnableRelease, workdir: Path, *, record: bool = False) -> dict[str, Any]:
    """With `record` the answer to be told has the discovery, too (homeport_runtime.discovery)."""
    return {**_job(release, workdir), "mode": "inspect", "alone": True, "record": record}


def _job(release: RunnableRelease, workdir: Path) -> dict[str, Any]:
    secrets = release.secrets()
    return {
        "manifest": release.manifest,
        "bundle": str(release.bundle),
        "workdir": str(workdir),
        "layer": str(release.layer),
        "environment": release.worker_environment(secrets),
        "secrets": secrets,
        "names": list(release.domains),
        "idle_s": release.idle_s,
        "hidden": [str(folder) for folder in release.hidden],
    }
