"""Serves the API of a running platform on its two sockets: for the CLI of this machine, and over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, Literal

import uvicorn

from homeport_runtime.asgi import ASGIApp
from homeport_runtime.guard.names import Names

from ..api.gate import Gate
from ..console.paths import is_console
from ..home import Home, check_socket_folder
from ..pushes.webhook import Webhook
from ..signin.routes import is_sign_in, sign_in_app
from ..supervisor.descriptor_store import DescriptorStore
from .api import create_app
from .builds import Builds
from .console import Console
from .ending import Ending
from .peer import refuse_workers
from .platform import Platform
from .push_to_deploy import PushToDeploy
from .slow_clients import APIConnection, end_slow_clients
from .tcp import open_api


async def serve(platform: Platform, store: DescriptorStore, ending: Ending) -> None:
    """Serves until the platform is told to end, and then interrupts the open requests."""
    home = platform.home
    listeners = [
        _kept(store, "api/local", lambda: _listen(home), is_valid=home.socket.is_socket()),
        _kept(store, "api/tcp", lambda: open_api(platform.stores.settings, home.root)),
    ]
    store.drop_rest()
    builds = Builds(platform)
    pushes = PushToDeploy(platform, builds)
    app = create_app(platform, builds, pushes, ending)
    accept = platform.stores.tokens.accept
    sign_in, console = sign_in_app(platform.sign_in.server), Console(platform)

    def find_open(path: str) -> ASGIApp | None:
        if is_console(path):
            return console
        return sign_in if is_sign_in(path) and platform.sign_in.is_used else None

    gate = Gate(
        app,
        Webhook(pushes.deliveries),
        accept,
        lambda: Names(platform.edge.own_names()),
        find_open,
        platform.stores.console_sessions,
    )
    servers = [_server(app, refuse_workers(platform.worker_processes)), _server(gate, APIConnection)]
    serving = [
        asyncio.create_task(server.serve(sockets=[sock])) for server, sock in zip(servers, listeners, strict=True)
    ]
    pushes.start()
    store.tell_started()
    # The client that started the platform has read its errors (client.py), and nobody reads them from here on.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Caddy may have been restarted meanwhile, or the port may have changed.
    publishing = asyncio.create_task(platform.publishing.publish())
    telling = asyncio.create_task(platform.tell_issuer())
    works = (
        platform.publishing.watch(),
        platform.sign_in_keys.watch(),
        platform.garbage.watch(),
        platform.audit.watch(),
        platform.audit_exports.work(),
        platform.telemetry.watch(),
        platform.telemetry.export(),
        platform.alerts.work(),
        platform.alert_checks.watch(),
        end_slow_clients(servers[1]),
    )
    watching = [asyncio.create_task(work) for work in works]
    for task in watching:
        task.add_done_callback(_tell_failure)
    await asyncio.wait({*serving, asyncio.create_task(ending.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if not ending.is_restart:
        home.socket.unlink(missing_ok=True)
    for server in servers:
        server.should_exit = server.force_exit = True
    for task in watching:
        task.cancel()
    await asyncio.gather(*serving, publishing, telling)
    await _interrupt({request for server in servers for request in server.server_state.tasks})
    await pushes.close()


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Says in the platform's log that a work has failed which was to go on for as long as the platform runs."""
    if not task.cancelled() and (error := task.exception()) is not None:
        # Nobody waits for its result, so that asyncio itself would only say it at the very end.
        told = {"message": "a work of the platform's has failed", "exception": error, "task": task}
        asyncio.get_running_loop().call_exception_handler(told)


async def _interrupt(requests: set[asyncio.Task[None]]) -> None:
    """Cancels open requests, and waits until each operation has cleaned up, for which everything it
    needs still exists.
    """
    for request in requests:
        request.cancel()
    if requests:
        await asyncio.wait(requests)


def _server(app: Any, protocol: type[asyncio.Protocol] | Literal["h11"] = "h11") -> uvicorn.Server:
    config = uvicorn.Config(
        app, http=protocol, ws="none", log_level="warning", access_log=False, lifespan="off", server_header=False
    )
    server = uvicorn.Server(config)
    # The server's own signal handlers would not close the platform, whose handlers are set already.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server


def _kept(
    store: DescriptorStore, name: str, listen: Callable[[], socket.socket], *, is_valid: bool = True
) -> socket.socket:
    """Returns the listener of the last control plane, else a new one, which outlives this process."""
    kept = store.take(name)
    if kept and not is_valid:
        os.close(kept.descriptors[0])
    listener = socket.socket(fileno=kept.descriptors[0]) if kept and is_valid else listen()
    store.keep(name, [listener.fileno()])
    return listener


def _listen(home: Home) -> socket.socket:
    """Listens on the Unix socket; this process has the lock, so an existing socket file is a dead process's."""
    path = home.socket
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_socket_folder(home)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(128)
    return listener
