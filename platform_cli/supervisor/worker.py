"""Represents one worker process in the supervisor: starting, ready, accepting, draining, gone."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from homeport_runtime.guard.access import Access
from homeport_runtime.hosts.whereabouts import WHERE
from homeport_runtime.telemetry.scrub import Scrubber

from ..errors import InspectError, ReleaseError
from .acknowledgements import Acknowledgements
from .answers import FAILED, Answers
from .control_channel import ControlChannel
from .launch import Launched, end_of
from .liveness import Pulse
from .messages import Admitted, Answer, Idle, Load, Message, Refused, Relay, Relayed, Stopped, Used
from .open_calls import OpenCalls
from .release import RunnableRelease
from .worker_output import LineSink, WorkerOutput

# The seconds that a silent process has beyond the time that its manifest gives it.
START_GRACE_S = 15.0
# Longer than a worker gives its own requests to finish (homeport_runtime.hosts.http_server.DRAIN_S).
DRAIN_LIMIT_S = 40.0
# The seconds for which a worker that does not stop accepting is waited for.
STOP_LIMIT_S = 2.0
UNREADABLE = b"something in this worker writes what is no message to the platform's control channel: it is not heard"


class WorkerState(enum.Enum):
    """Is the state of a worker.

    STARTING: it loads and warms up. SERVING: it accepts. DRAINING: it finishes its requests. GONE: its process has
    ended.
    """

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    GONE = "gone"


class Worker:
    """Represents a worker, which `worker_start.start_worker` makes.

    Everything that the process writes passes through here, where the values of its secrets are removed.
    """

    def __init__(
        self,
        release: RunnableRelease,
        launched: Launched,
        calls: OpenCalls | None = None,
        state: WorkerState = WorkerState.STARTING,
    ) -> None:
        self.release = release
        self.pid = launched.pid
        self.place = launched.place
        self.state = state
        self.gone = asyncio.Event()
        self._stopped = asyncio.Event()
        # Of who may call.
        self._acknowledged = Acknowledgements()
        self.open_requests = 0
        self.pulse = Pulse()
        self.on_idle: Callable[[Worker], None] = _ignore
        self.on_load: Callable[[Worker], None] = _ignore
        self.on_relay: Callable[[Worker, Relay | Relayed], None] = lambda _worker, _message: None
        self.on_used: Callable[[tuple[str, ...]], None] = lambda _tokens: None
        self.on_refused: Callable[[str | None], None] = lambda _grant: None
        self.on_gone: Callable[[Worker], None] = _ignore
        self._launched = launched
        self._calls = calls
        self._exit_code: int | None = None
        self._lacked_memory = False
        self._answers = Answers()
        self._tasks: list[asyncio.Task[None]] = []
        self._output: WorkerOutput | None = None
        self._channel: ControlChannel | None = None
        self._scrubber = Scrubber({})

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Returns the descriptors with which another process can take over when this one has ended."""
        launched = self._launched
        calls = (self._calls.descriptor,) if self._calls is not None else ()
        return (launched.control.fileno(), launched.stdout, launched.stderr, *calls)

    async def open(self, secrets: Mapping[str, str], sink: LineSink) -> None:
        """Connects the control channel and follows the output, of which `sink` gets each line with its level and the
        process id.
        """
        self._scrubber = Scrubber(secrets)
        self._channel = await ControlChannel.open(self._launched.control)
        is_starting = self.state is WorkerState.STARTING
        output = self._output = WorkerOutput(self._launched, self._scrubber, sink, is_starting=is_starting)
        # An earlier control plane may have stopped in the middle of a message.
        listening = asyncio.create_task(self._listen(self._channel, sink, forgives=not is_starting))
        self._tasks = [listening, asyncio.create_task(self._reap(listening, output))]

    async def _listen(self, channel: ControlChannel, sink: LineSink, *, forgives: bool) -> None:
        warned = forgives
        async for message in channel.messages():
            if message is not None:
                self._hear(message)
            elif not warned:
                warned = True
                sink(UNREADABLE, "warning", self.pid)
            if self.state is WorkerState.DRAINING and channel.is_flooded:
                # Its own answers are stuck behind the flood, and so is it.
                self.kill()
        self._answers.end()

    def _hear(self, message: Message) -> None:
        match message:
            case Idle():
                if self.state is WorkerState.SERVING:
                    self.on_idle(self)
            case Stopped():
                self._stopped.set()
            case Load():
                self.pulse.beat()
                self.open_requests = message.open
                self.on_load(self)
            case Used() | Admitted() | Refused():
                self._hear_of_callers(message)
            case Relay() | Relayed():
                self.on_relay(self, message)
            case Answer():
                self._answers.note(message)

    async def _reap(self, listening: asyncio.Task[None], output: WorkerOutput) -> None:
        self._exit_code = await self._launched.ended
        if self._exit_code is None:
            # Its zygote died before it, so the end of the control channel is the end of the process.
            await listening
        # A program that the server left behind ends with its process group, or with its control group.
        self._signal(signal.SIGKILL)
        self._lacked_memory = self._launched.group.lacked_memory()
        await asyncio.to_thread(self._launched.group.end)
        await output.finish()
        if self._calls is not None:
            for record in self._calls.left(self.exit_reason()):
                output.hear(record, "error")
            self._calls.close()
        self.state = WorkerState.GONE
        self._stopped.set()
        self._acknowledged.give_up()
        if self._channel is not None:
            self._channel.close()
        self.on_gone(self)
        self.gone.set()

    async def leave(self) -> None:
        """Lets the worker continue without this process, after reading what it has printed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        if self._output is not None:
            await self._output.leave()

    async def expect(self, event: str, timeout: float) -> dict[str, Any]:
        """Waits until the worker reports `event`, and returns what belongs to it.

        Raises InspectError with the server's own reason, and ReleaseError if the worker does not answer, or ends.
        """
        try:
            answer = await asyncio.wait_for(self._answers.next(event), timeout)
        except TimeoutError:
            self.kill()
            raise ReleaseError(
                await self._with_last_words(f"the server's process did not answer within {timeout:g} s"),
                hint=f"see `homeport logs {self.release.project}`",
            ) from None
        if answer.event == event:
            clean: dict[str, Any] = self._scrubber.prose(answer.fields)
            return clean
        if answer.event == FAILED:
            trace = answer.fields["trace"]
            text = f"{answer.fields['message']}\n{trace}" if trace else answer.fields["message"]
            hint = answer.fields["hint"]
            reason = await self._with_last_words(self._scrubber.text(text))
            raise InspectError(reason, hint=hint and self._scrubber.text(hint))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), STOP_LIMIT_S)
        # The server may have closed the channel and continue.
        self.kill()
        await self.gone.wait()
        reason = f"the server's process ended while it started ({self.exit_reason()})"
        raise ReleaseError(await self._with_last_words(reason), hint=f"see `homeport logs {self.release.project}`")

    async def _with_last_words(self, reason: str) -> str:
        """Returns `reason`, followed by what the process printed before its end, which often says more."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), STOP_LIMIT_S)
        return self._output.with_last_words(reason) if self._output is not None else reason

    def exit_reason(self) -> str:
        """Returns how the process has ended, in words."""
        reason = end_of(self._exit_code)
        return f"{reason}, because it and its programs used more than `memory_mb`" if self._lacked_memory else reason

    async def accept(self) -> None:
        self.tell(do="accept")
        await self.expect("accepting", START_GRACE_S)
        self.state = WorkerState.SERVING
        if self._output is not None:
            self._output.is_starting = False

    def tell(self, **order: Any) -> None:
        """Sends the worker an order, whose answer `expect` may wait for."""
        if self._channel is not None:
            self._channel.send(**order)

    def admit(self, access: Access) -> bool:
        """Tells the worker who may call from now on, and returns whether that was new to it, and understood."""
        access = self.release.lets_in(access)
        if access == self.release.access or not self.release.hears_access:
            return False
        self.release = replace(self.release, access=access)
        self.repeat_access()
        return True

    def repeat_access(self) -> None:
        """Tells the worker who may call, whatever it was told before."""
        if self.release.access is None or not self.release.hears_access:
            return
        if self.state is not WorkerState.GONE:
            self._acknowledged.expect()
        self.tell(do="access", access=self.release.access.to_data())

    def _hear_of_callers(self, message: Used | Admitted | Refused) -> None:
        match message:
            case Used():
                self.on_used(message.tokens)
            case Admitted():
                self._acknowledged.note()
            case Refused():
                self.on_refused(message.grant)

    async def heard(self) -> None:
        """Waits until the worker has heard what it was told last of who may call, or has ended."""
        await self._acknowledged.wait()

    def tell_audit(self, *, has_room: bool) -> None:
        """Tells the worker whether calls can be written into the audit log, without which it refuses them."""
        if self.release.hears_audit:
            self.tell(do="audit", has_room=has_room)

    def share(self, workers: int) -> None:
        """Tells the worker to hand its part of its connections to another worker, now that there are `workers`."""
        self.tell(do="share", workers=workers)

    def ask_where(self) -> None:
        """Lets a silent worker continue, if it was only stopped, and print where its threads are."""
        self._signal(signal.SIGCONT)
        self._launched.signal(self.pid, WHERE)

    async def hand_over(self, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Lets its connections go to the project's other workers, or wait in the exchange; returns when
        it has ended.
        """
        await self._end("hand_over", limit_s)

    async def close(self, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Lets it finish its requests and close its connections, since no other worker continues; returns when it has
        ended.
        """
        await self._end("close", limit_s)

    async def _end(self, order: str, limit_s: float) -> None:
        """Gives the order to end, and kills a worker that does not do so in time."""
        if self.state is WorkerState.GONE:
            return
        self.state = WorkerState.DRAINING
        # A stopped process does not end, and does not notice that another has ended.
        self._signal(signal.SIGCONT)
        self.tell(do=order)
        try:
            await asyncio.wait_for(self.gone.wait(), limit_s)
        except TimeoutError:
            self.kill()
            await self.gone.wait()

    async def stopped(self) -> None:
        """Waits until it takes no new connections any more, shortly after it was told so."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), STOP_LIMIT_S)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # The worker leads its own process group, so that programs it started end with it.
        self._launched.signal(-self.pid, number)


def _ignore(_worker: Worker) -> None:
    """Does nothing, until somebody else is to be called."""
