"""The app as a Lambda function: started by the wrapper through AWS_LAMBDA_EXEC_WRAPPER, or as an image's command.

The server is loaded and served by the main thread, as everywhere; another thread takes events from the Runtime API and
sends the answers as they come. Event loop and lifespan last as long as the sandbox.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from ..app import App
from ..errors import ServerError
from .lambda_api import RuntimeAPI
from .lambda_server import LambdaServer


def main() -> NoReturn:
    """The whole life of a sandbox. Why a server cannot be loaded is told to Lambda, with the user's own frames."""
    api = RuntimeAPI(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        server = LambdaServer(Path(os.environ["LAMBDA_TASK_ROOT"]))
        module = server.load()
        asyncio.run(_serve(api, server, module))
    except ServerError as error:
        api.fail_init("ServerError", error.message, error.trace)
    except BaseException as error:
        api.fail_init(type(error).__name__, str(error))
        sys.excepthook(*sys.exc_info())
    os._exit(1)


async def _serve(api: RuntimeAPI, server: LambdaServer, module: ModuleType | None) -> None:
    loop = asyncio.get_running_loop()
    async with server.serving(module) as app:
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            await loop.run_in_executor(None, api.restored)
            _diverge()
        await loop.run_in_executor(None, _take_events, api, server, app, loop)


def _take_events(api: RuntimeAPI, server: LambdaServer, app: App, loop: asyncio.AbstractEventLoop) -> NoReturn:
    while True:
        invocation = api.next()
        exchange = server.begin(app, loop, invocation.event, invocation.deadline_s)
        error = exchange.write(api.answer(invocation.request_id))
        if error is not None:
            api.fail(invocation.request_id, type(error).__name__, str(error))


def _diverge() -> None:
    """Copies of one snapshot must not draw the same random numbers."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


if __name__ == "__main__":
    main()
