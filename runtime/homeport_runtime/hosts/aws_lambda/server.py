"""Runs the user's server in a Lambda sandbox, for whichever host takes the events."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import site
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...app import App
from ...errors import ServerError
from ...libraries.fastmcp import defer_state
from ...loading import packed
from ...loading.environment import QUIET, fill, module_folders, process_environment
from ...loading.manifest import APP_FOLDER, FILE_NAME, Manifest
from ...relay.base import Deliver, Relay
from ...takeover.transports import install as install_takeover
from ...telemetry import extend_records, store_output
from ...telemetry.error_records import ErrorRecords, record_errors
from ...telemetry.scrub import Scrubber
from ..start import Fail, Folders, Live, Served, prepare, run, started
from .access import LambdaAccess
from .events import read_request
from .front import as_addressed
from .metrics import VARIABLE, metrics_in
from .request_cycle import RequestCycle
from .secrets import SecretsFetch
from .state_key import StateKey

if TYPE_CHECKING:
    from ...aws.dynamodb import Table
    from ...guard.audit import Audit
    from ...guard.judge import Judge
    from ...guard.windows import Rate, Windows
    from ...loading.manifest_data import ManifestData

# The folder with the packages of the function's layers.
PACKAGES = Path("/opt/python")


class LambdaServer:
    """Loads and serves the server in `task`, the function's own folder (LAMBDA_TASK_ROOT)."""

    def __init__(self, task: Path, access: LambdaAccess, secrets: SecretsFetch) -> None:
        self._data: ManifestData = json.loads((task / FILE_NAME).read_bytes())
        self._manifest = Manifest.read(self._data)
        work = Path(tempfile.gettempdir()) / "homeport" / "files"
        self._folders = Folders(task / APP_FOLDER, work, PACKAGES, None)
        self._access = access
        self._secrets = secrets

    def run(self, live: Live, fail: Fail) -> None:
        """Prepares the process for the server and runs it to its end; `live` is called when the server is to be served.

        Raises ServerError for a server that cannot be loaded.
        """
        # Garbage collection is off until everything that stays in memory has been loaded.
        gc.disable()
        self._settle()
        run(self._manifest, self._folders, live, fail)

    def _settle(self) -> None:
        """Sets up variables, output, working folder and import path."""
        origin = {name: os.environ.get(f"HOMEPORT_{name.upper()}") for name in ("project", "release")}
        try:
            secrets = self._secrets.values()
        except ServerError:
            store_output(Scrubber({}), **origin)
            raise
        store_output(Scrubber(secrets), **origin)
        if os.environ.get(VARIABLE) == "1":
            extend_records(metrics_in)
        try:
            variables = fill(self._data["environment"], secrets)
        except KeyError as error:
            raise ServerError(f"the secret {error.args[0]} is not among those of this release") from None
        given = {**os.environ, **QUIET, **variables}
        os.environ.update(
            process_environment(given, layer=PACKAGES, project=self._folders.work, roots=self._manifest.roots)
        )
        time.tzset()
        # Lambda's own folder for code is read-only, and a server that writes to relative paths needs a writable one,
        # which lasts as long as the sandbox.
        shutil.copytree(self._folders.app, self._folders.work, dirs_exist_ok=True, copy_function=shutil.copyfile)
        for folder in self._data.get("folders", ()):
            (self._folders.work / folder).mkdir(parents=True, exist_ok=True)
        os.chdir(self._folders.work)
        site.addsitedir(str(PACKAGES))
        packed.install(PACKAGES)
        # The packages of the managed runtime (boto3) come last, so that the layer's own versions are found first.
        libraries = f"{sys.prefix}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        sys.path += ["/var/runtime", libraries]
        sys.path[:0] = [str(self._folders.app / entry) for entry in module_folders(variables)]
        install_takeover()

    def prepare(self, served: Served) -> App:
        """Returns the app, before its lifespan."""
        defer_state(served.server)
        table = _mailbox_table()
        prepared = prepare(
            served,
            self._manifest,
            self._folders,
            self._access.names,
            StateKey(table, self._access.state_secret) if table else None,
            self._access.access,
            self._judge(),
            # A connection that is held open for notifications would be billed by the second.
            listens=False,
        )
        app = prepared.app
        app.guard.sessions.relay = _relay(table, app.guard.sessions.deliver) if table else None
        app.guard.passing.audit = self._audit()
        contract: Mapping[str, Any] = self._data.get("contract") or {}
        tools = contract.get("tools")
        known = frozenset(tool["name"] for tool in tools) if tools is not None else None
        record_errors(ErrorRecords(self._folders.app, PACKAGES, self._secrets.values(), known))
        return app

    def _audit(self) -> Audit | None:
        if self._access.access is None and not self._data.get("audit"):
            return None
        # Imported late, since it is not needed where everyone may call.
        from ...guard.audit import Audit
        from ...guard.audit_chain import AuditChain, settings_of

        settings = settings_of(self._data, is_open=False) or {}
        chain = AuditChain(os.environ.get("HOMEPORT_PROJECT"), os.environ.get("HOMEPORT_RELEASE"))
        return Audit(settings["arguments"], settings["redact"], chain)

    def _judge(self) -> Judge | None:
        scopes, limits = self._manifest.scopes, self._manifest.limits
        if not scopes and not limits:
            return None
        # Few servers have any.
        from ...guard.judge import Judge, reading_tools

        contract: Mapping[str, Any] = self._data.get("contract") or {}
        return Judge.of(scopes, limits, reading_tools(contract.get("tools")), _windows)

    @asynccontextmanager
    async def serving(self, app: App) -> AsyncIterator[None]:
        """Enters the app's lifespan, without warming up, since the server was checked when it was deployed."""
        contract: Mapping[str, Any] | None = self._data.get("contract")
        async with started(app, self._folders, contract["tools"] if contract else None):
            gc.freeze()
            gc.enable()
            yield

    def begin(
        self, app: App, loop: asyncio.AbstractEventLoop, event: Mapping[str, Any], deadline_s: float
    ) -> RequestCycle:
        """Passes the request in `event` to the app; the caller's thread reads the answer from the cycle."""
        scope, body = read_request(event)
        self._access.learn(event)
        if name := self._access.front_name:
            scope = as_addressed(scope, name)
        cycle = RequestCycle(scope, body, deadline_s)
        asyncio.run_coroutine_threadsafe(cycle.run(app), loop)
        return cycle


def _mailbox_table() -> Table | None:
    """Returns the project's own table, without calling it; None for a function that was made by hand without one."""
    name = os.environ.get("HOMEPORT_MAILBOX_TABLE")
    if not name:
        return None
    from ...aws.dynamodb import Table

    return Table(name)


def _windows(rates: Sequence[Rate]) -> Windows:
    # It has a connection of its own, since calls are counted in a thread.
    table = _mailbox_table()
    if table is None:
        from ...guard.windows import SharedWindows

        return SharedWindows(rates)
    # Imported late, since a table's client takes longer to import than all else of the guard.
    from .table_windows import TableWindows

    return TableWindows(table, rates)


def _relay(table: Table, deliver: Deliver) -> Relay:
    from ...relay.instances import InstanceRelay
    from ...relay.mailbox import Mailbox

    return InstanceRelay(Mailbox(table), deliver)
