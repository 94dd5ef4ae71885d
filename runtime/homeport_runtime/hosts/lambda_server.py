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
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import packed
from ..app import App
from ..environment import QUIET, fill
from ..errors import ServerError
from ..manifest import APP_FOLDER, FILE_NAME, Manifest
from ..relay.base import Deliver, Relay
from ..telemetry import store_output
from ..telemetry.scrub import Scrubber
from .lambda_access import LambdaAccess
from .lambda_events import read_request
from .lambda_exchange import Exchange
from .lambda_secrets import HISTORY, STATE_KEY, SecretsFetch
from .lambda_state_key import StateKeyFetch
from .start import Folders, load, started

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
        self._state_key: bytes | None = None
        self._shared_key = StateKeyFetch()

    def load(self) -> ModuleType | None:
        """Makes the process the server's own and imports it. Raises ServerError."""
        # Hardly anything that an import makes is garbage: looking for it is a sixth of the time.
        gc.disable()
        self._settle()
        return load(self._manifest, self._folders)

    def _settle(self) -> None:
        """Variables, output, folder, path."""
        secrets = {name: value for name, value in self._secrets.values().items() if name != HISTORY}
        key = secrets.pop(STATE_KEY, None)
        self._state_key = bytes.fromhex(key) if key else None
        try:
            variables = fill(self._data["environment"], secrets)
        except KeyError as error:
            raise ServerError(f"the secret {error.args[0]} is not among those of this release") from None
        os.environ.update({**QUIET, **variables})
        origin = {name: os.environ.get(f"HOMEPORT_{name.upper()}") for name in ("project", "release")}
        store_output(Scrubber(secrets), **origin)
        # Lambda's own folder for code is read-only, and what a server writes by relative path must have a place: it
        # lasts as long as the sandbox.
        shutil.copytree(self._folders.app, self._folders.work, dirs_exist_ok=True, copy_function=shutil.copyfile)
        os.chdir(self._folders.work)
        site.addsitedir(str(PACKAGES))
        packed.install(PACKAGES)
        # What the managed runtime brings (boto3) comes last: the layer's own versions go before it.
        libraries = f"{sys.prefix}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        sys.path += ["/var/runtime", libraries]
        sys.argv = ["server.py"]

    @asynccontextmanager
    async def serving(self, module: ModuleType | None) -> AsyncIterator[App]:
        """The app within its lifespan. It has proven itself when it was deployed, and does not warm up again."""
        contract: Mapping[str, Any] | None = self._data.get("contract")
        async with started(
            module,
            self._manifest,
            self._folders,
            self._access.names,
            self._state_key or self._shared_key.value(),
            contract["tools"] if contract else None,
            self._access.token_hash,
            # Each connection that is held to be told of changes would be billed by the second.
            listens=False,
        ) as server:
            server.app.guard.relay = _relay(server.app.guard.deliver)
            gc.freeze()
            gc.enable()
            yield server.app

    def begin(self, app: App, loop: asyncio.AbstractEventLoop, event: Mapping[str, Any], deadline_s: float) -> Exchange:
        """Gives the request in `event` to the app; the answer comes out of the exchange, in the caller's thread."""
        scope, body = read_request(event)
        self._access.learn(event)
        exchange = Exchange(scope, body, deadline_s)
        asyncio.run_coroutine_threadsafe(exchange.run(app), loop)
        return exchange


def _relay(deliver: Deliver) -> Relay | None:
    table = os.environ.get("HOMEPORT_MAILBOX_TABLE")
    if not table:
        return None
    from ..aws.dynamodb import Table
    from ..relay.instances import InstanceRelay
    from ..relay.mailbox import Mailbox

    return InstanceRelay(Mailbox(Table(table)), deliver)
