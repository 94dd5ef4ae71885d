"""The user's server in a Lambda sandbox, whoever takes the events."""

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
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...app import App
from ...errors import ServerError
from ...loading import packed
from ...loading.environment import QUIET, fill, module_folders, process_environment
from ...loading.manifest import APP_FOLDER, FILE_NAME, Manifest
from ...relay.base import Deliver, Relay
from ...takeover.transports import install as install_takeover
from ...telemetry import store_output
from ...telemetry.scrub import Scrubber
from ..start import Fail, Folders, Live, Served, prepare, run, started
from .access import LambdaAccess
from .events import read_request
from .request_cycle import RequestCycle
from .secrets import SecretsFetch
from .state_key import StateKey

if TYPE_CHECKING:
    from ...aws.dynamodb import Table

# Where the packages of the function's layers are.
PACKAGES = Path("/opt/python")


class LambdaServer:
    """`task` is the function's own folder (LAMBDA_TASK_ROOT)."""

    def __init__(self, task: Path, access: LambdaAccess, secrets: SecretsFetch) -> None:
        self._data: dict[str, Any] = json.loads((task / FILE_NAME).read_bytes())
        self._manifest = Manifest.read(self._data)
        work = Path(tempfile.gettempdir()) / "homeport" / "files"
        self._folders = Folders(task / APP_FOLDER, work, PACKAGES, None)
        self._access = access
        self._secrets = secrets

    def run(self, live: Live, fail: Fail) -> None:
        """Makes the process the server's own and runs it to its end; `live` is called where it comes to serve. Raises
        ServerError.
        """
        # Until all is there that stays.
        gc.disable()
        self._settle()
        run(self._manifest, self._folders, live, fail)

    def _settle(self) -> None:
        """Variables, output, folder, path."""
        origin = {name: os.environ.get(f"HOMEPORT_{name.upper()}") for name in ("project", "release")}
        try:
            secrets = self._secrets.values()
        except ServerError:
            store_output(Scrubber({}), **origin)
            raise
        store_output(Scrubber(secrets), **origin)
        try:
            variables = fill(self._data["environment"], secrets)
        except KeyError as error:
            raise ServerError(f"the secret {error.args[0]} is not among those of this release") from None
        given = {**os.environ, **QUIET, **variables}
        os.environ.update(
            process_environment(given, layer=PACKAGES, project=self._folders.work, roots=self._manifest.roots)
        )
        time.tzset()
        # Lambda's own folder for code is read-only, and what a server writes by relative path must have a place: it
        # lasts as long as the sandbox.
        shutil.copytree(self._folders.app, self._folders.work, dirs_exist_ok=True, copy_function=shutil.copyfile)
        for folder in self._data.get("folders", ()):
            (self._folders.work / folder).mkdir(parents=True, exist_ok=True)
        os.chdir(self._folders.work)
        site.addsitedir(str(PACKAGES))
        packed.install(PACKAGES)
        # What the managed runtime brings (boto3) comes last: the layer's own versions go before it.
        libraries = f"{sys.prefix}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        sys.path += ["/var/runtime", libraries]
        sys.path[:0] = [str(self._folders.app / entry) for entry in module_folders(variables)]
        install_takeover()

    def prepare(self, served: Served) -> App:
        """The app before its lifespan."""
        table = _mailbox_table()
        prepared = prepare(
            served,
            self._manifest,
            self._folders,
            self._access.names,
            StateKey(table) if table else None,
            self._access.token_hash,
            # Each connection that is held to be told of changes would be billed by the second.
            listens=False,
        )
        app = prepared.app
        app.guard.relay = _relay(table, app.guard.deliver) if table else None
        return app

    @asynccontextmanager
    async def serving(self, app: App) -> AsyncIterator[None]:
        """Within the app's lifespan. It has proven itself when it was deployed, and does not warm up again."""
        contract: Mapping[str, Any] | None = self._data.get("contract")
        async with started(app, self._folders, contract["tools"] if contract else None):
            gc.freeze()
            gc.enable()
            yield

    def begin(
        self, app: App, loop: asyncio.AbstractEventLoop, event: Mapping[str, Any], deadline_s: float
    ) -> RequestCycle:
        """Gives the request in `event` to the app; the answer comes out of the cycle, in the caller's thread."""
        scope, body = read_request(event)
        self._access.learn(event)
        cycle = RequestCycle(scope, body, deadline_s)
        asyncio.run_coroutine_threadsafe(cycle.run(app), loop)
        return cycle


def _mailbox_table() -> Table | None:
    """The project's own, which nobody asks anything yet. A function that was made by hand may have none."""
    name = os.environ.get("HOMEPORT_MAILBOX_TABLE")
    if not name:
        return None
    from ...aws.dynamodb import Table

    return Table(name)


def _relay(table: Table, deliver: Deliver) -> Relay:
    from ...relay.instances import InstanceRelay
    from ...relay.mailbox import Mailbox

    return InstanceRelay(Mailbox(table), deliver)
