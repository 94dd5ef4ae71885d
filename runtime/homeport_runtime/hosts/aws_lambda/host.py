"""Runs the app as a Lambda function, started by the wrapper through AWS_LAMBDA_EXEC_WRAPPER or as an image's command.

The main thread loads and serves the server, as in every host; another thread takes events from the Runtime API and
sends the answers as they come. Event loop and lifespan last as long as the sandbox.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ...protocol.discovery import FILE_NAME, Answer, Discovery
from .access import LambdaAccess
from .api import Invocation, RuntimeAPI
from .cold_posts import hand_over
from .events import EMPTY, NotARequest, check_request

if TYPE_CHECKING:
    import asyncio

    from ...app import App
    from ...errors import ServerError
    from ..start import Served
    from .errors import Told
    from .request_cycle import RequestCycle
    from .server import LambdaServer

# The interval, in seconds, in which threads alternate during the import, so that recorded answers need not wait for it.
SWITCH_S = 0.0005
# The values of AWS_LAMBDA_INITIALIZATION_TYPE
# (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
ON_DEMAND, SNAP_START = "on-demand", "snap-start"
# The seconds that are waited for the reason why the event loop has ended, and the error if none came.
TELLING_S = 5.0
# Until a function asks for events it gets more of a processor than its memory pays for, and is not frozen; a start may
# take 10 seconds (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html). So the server is
# imported for a while before the first event is asked for, and its import continues with that event: for EARLY_S, so
# that clients which only look are still answered many times sooner than by an import, or for FIRST_S with import_first.
# An instance with less than SMALL_MB has so little of a processor then that it imports first unless told otherwise.
EARLY_S, FIRST_S = 0.08, 8.0
SMALL_MB = 1024
# "1" or "0" as [deployment.lambda] import_first says.
IMPORT_FIRST = "HOMEPORT_IMPORT_FIRST"
ENDED = ("Runtime.ExitError", "the server has ended", "")


def main() -> NoReturn:
    """Runs a sandbox from start to end; why a server cannot be loaded is logged and reported to Lambda."""
    api = RuntimeAPI(os.environ["AWS_LAMBDA_RUNTIME_API"])
    events = Events(api, Path(os.environ["LAMBDA_TASK_ROOT"]))
    try:
        _serve(api, events)
    except BaseException as error:
        events.fail(error)
    os._exit(1)


def _serve(api: RuntimeAPI, events: Events) -> None:
    # An instance that asks for events counts as started, and is frozen; only one that is started on demand may do so
    # early.
    kind = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", ON_DEMAND)
    if events.discovery and kind == ON_DEMAND:
        sys.setswitchinterval(SWITCH_S)
        events.start(FIRST_S if _imports_first() else EARLY_S)
    # Slow imports come after events can be answered.
    from .secrets import SecretsFetch

    secrets = SecretsFetch()
    import asyncio

    from .server import LambdaServer

    server = LambdaServer(events.task, events.access, secrets)

    async def live(served: Served) -> None:
        app = server.prepare(served)
        if kind == SNAP_START:
            from .snapshot import restored

            await restored(api)
        async with server.serving(app):
            sys.setswitchinterval(0.005)
            events.serve(server, app, asyncio.get_running_loop())
            await asyncio.Event().wait()

    def fail(error: ServerError) -> NoReturn:
        events.fail(error)
        os._exit(1)

    server.run(live, fail)


def _imports_first() -> bool:
    said = os.environ.get(IMPORT_FIRST)
    return said == "1" if said else int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", SMALL_MB)) < SMALL_MB


class Events:
    """Takes events in a thread of its own, and answers them from the record until the server is ready."""

    def __init__(self, api: RuntimeAPI, task: Path) -> None:
        self.task = task
        self.access = LambdaAccess()
        file = task / FILE_NAME
        self.discovery = Discovery(json.loads(file.read_bytes())) if file.exists() else None
        self._api = api
        self._starting = threading.Lock()
        self._ready = threading.Event()
        self._failed = threading.Event()
        self._served: tuple[LambdaServer, App, asyncio.AbstractEventLoop] | None = None
        self._error: Told | None = None
        # The request that the server answers now.
        self._cycle: RequestCycle | None = None
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self, after_s: float = 0.0) -> None:
        """Starts at once, or after so many seconds unless it was started before."""
        if after_s:
            later = threading.Timer(after_s, self.start)
            later.daemon = True
            later.start()
            return
        with self._starting:
            if not (self._thread.is_alive() or self._failed.is_set()):
                self._thread.start()

    def serve(self, server: LambdaServer, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self._served = server, app, loop
        self._ready.set()
        self.start()

    def fail(self, error: BaseException) -> None:
        """Reports why no event will be answered: at once, or with the next event if events are being taken already."""
        from ...telemetry import drain_output
        from .errors import tell

        drain_output(whole=True)
        told = tell(error)
        with self._starting:
            # Nobody may ask for an event over the connection that tells why there will be none.
            if not self._thread.is_alive():
                self._failed.set()
                self._api.fail_start(*told)
                return
        if self._ready.is_set() and self._cycle is None:
            # The server has ended between two events, so the next one is answered by another sandbox.
            return
        self._error = told
        self._failed.set()
        self._ready.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                self._take(self._api.next())
        except BaseException as error:
            # Without events there is nothing to do, and Lambda starts another sandbox.
            from .errors import tell

            tell(error)
            os._exit(1)

    def _take(self, invocation: Invocation) -> None:
        # X-Ray's SDK and OpenTelemetry read it there
        # (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
        os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id
        try:
            check_request(invocation.event)
        except NotARequest as strange:
            self._fail(invocation, strange)
            return
        early = None if self._ready.is_set() else self._early(invocation.event)
        if early is not None:
            answer = self._api.answer(invocation.request_id)
            answer.start(early.status, early.headers)
            answer.write(early.body or EMPTY)
            answer.end()
            return
        self._ready.wait()
        if self._served is None or self._error is not None:
            self._api.fail(invocation.request_id, *(self._error or ENDED))
            os._exit(1)
        server, app, loop = self._served
        self._cycle = server.begin(app, loop, invocation.event, invocation.deadline_s)
        answer = self._api.answer(invocation.request_id)
        error = self._cycle.write(answer)
        if self._cycle.end is not None:
            # The main thread reports why it has ended, before the answer does: after that the sandbox may be frozen.
            self._failed.wait(TELLING_S)
            kind, message, trace = self._error or ENDED
            if error is not None:
                self._api.fail(invocation.request_id, kind, message, trace)
            else:
                answer.abort(kind, message)
            os._exit(1)
        if error is not None:
            self._fail(invocation, error)
        self._cycle = None
        # The sandbox may be frozen between two events.
        from ...telemetry import drain_output

        drain_output()

    def _fail(self, invocation: Invocation, error: BaseException) -> None:
        from .errors import tell

        self._api.fail(invocation.request_id, *tell(error))

    def _early(self, event: dict[str, Any]) -> Answer | None:
        """Returns the answer to a request that needs no server and that the guard would allow; all others have to wait
        for the guard.
        """
        return self._recorded(event) or hand_over(event, self.access)

    def _recorded(self, event: dict[str, Any]) -> Answer | None:
        http = event["requestContext"]["http"]
        path = event["rawPath"].rstrip("/")
        if self.discovery is None or (http["method"], path) != ("POST", "/mcp") or event.get("isBase64Encoded"):
            return None
        if not self.access.allows(event):
            return None
        try:
            message = json.loads(event.get("body") or "")
        except ValueError:
            return None
        return self.discovery.answer({name.lower(): value for name, value in event["headers"].items()}, message)


if __name__ == "__main__":
    main()
