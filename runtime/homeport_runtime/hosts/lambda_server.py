"""The user's server in a Lambda sandbox, whoever takes the events."""

from __future__ import annotations

import asyncio
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

from ..app import App
from ..environment import QUIET, fill
from ..manifest import APP_FOLDER, FILE_NAME, Manifest
from ..telemetry import store_output
from ..telemetry.scrub import Scrubber
from .lambda_access import LambdaAccess
from .lambda_events import read_request
from .lambda_exchange import Exchange
from .start import Folders, load, started

# Where the packages of the function's layers are.
PACKAGES = Path("/opt/python")
# A project's secret may hold the key that all instances seal requestState with (64 hexadecimal digits).
STATE_KEY = "HOMEPORT_STATE_KEY"


class LambdaServer:
    """`task` is the function's own folder (LAMBDA_TASK_ROOT)."""

    def __init__(self, task: Path, access: LambdaAccess) -> None:
        self._data: dict[str, Any] = json.loads((task / FILE_NAME).read_bytes())
        self._manifest = Manifest.read(self._data)
        work = Path(tempfile.gettempdir()) / "homeport" / "files"
        self._folders = Folders(task / APP_FOLDER, work, PACKAGES, None)
        self._access = access
        self._secrets: dict[str, str] = {}

    def load(self) -> ModuleType | None:
        """Makes the process the server's own and imports it. Raises ServerError, or AWSError without its secrets."""
        self._settle()
        return load(self._manifest, self._folders)

    def _settle(self) -> None:
        """Variables, output, folder, path."""
        self._secrets = _fetch_secrets()
        os.environ.update({**QUIET, **fill(self._data["environment"], self._secrets)})
        origin = {name: os.environ.get(f"HOMEPORT_{name.upper()}") for name in ("project", "release")}
        store_output(Scrubber(self._secrets), **origin)
        # Lambda's own folder for code is read-only, and what a server writes by relative path must have a place: it
        # lasts as long as the sandbox.
        shutil.copytree(self._folders.app, self._folders.work, dirs_exist_ok=True, copy_function=shutil.copyfile)
        os.chdir(self._folders.work)
        site.addsitedir(str(PACKAGES))
        # What the managed runtime brings (boto3) comes last: the layer's own versions go before it.
        libraries = f"{sys.prefix}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        sys.path += ["/var/runtime", libraries]
        sys.argv = ["server.py"]

    @asynccontextmanager
    async def serving(self, module: ModuleType | None) -> AsyncIterator[App]:
        """The app within its lifespan. It has proven itself when it was deployed, and does not warm up again."""
        key = self._secrets.get(STATE_KEY)
        contract: Mapping[str, Any] | None = self._data.get("contract")
        async with started(
            module,
            self._manifest,
            self._folders,
            self._access.names,
            bytes.fromhex(key) if key else None,
            contract["tools"] if contract else None,
            self._access.token_hash,
        ) as server:
            # Nobody holds a connection to be told of changes: each would be billed by the second.
            server.app.listens = False
            yield server.app

    def begin(self, app: App, loop: asyncio.AbstractEventLoop, event: Mapping[str, Any], deadline_s: float) -> Exchange:
        """Gives the request in `event` to the app; the answer comes out of the exchange, in the caller's thread."""
        scope, body = read_request(event)
        self._access.learn(event)
        exchange = Exchange(scope, body, deadline_s)
        asyncio.run_coroutine_threadsafe(exchange.run(app), loop)
        return exchange


def _fetch_secrets() -> dict[str, str]:
    arn = os.environ.get("HOMEPORT_SECRET_ARN")
    if not arn:
        return {}
    from ..aws.secrets import fetch_secret

    return fetch_secret(arn, os.environ.get("HOMEPORT_SECRET_VERSION"))
