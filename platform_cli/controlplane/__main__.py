"""Runs the control plane's process: `python -m platform_cli.controlplane N`, one per home.

Its master (master.py) starts it, and is at the other end of the socket that is descriptor N here.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from homeport_runtime.hosts.confinement import keep_memory_private, means

from ..errors import HomeportError
from ..home import Home, open_home
from ..supervisor.descriptor_store import DescriptorStore
from .ending import Ending
from .master import RESTART
from .stopped import reason_to_stop

if TYPE_CHECKING:
    from .platform import Platform

# How long, in seconds, a thread may keep others waiting (sys.setswitchinterval) while the API's modules are loaded.
LOADING_S = 0.0002


def main() -> None:
    # There is nothing to free while modules are imported, of which almost all are imported from here on.
    gc.disable()
    try:
        store = DescriptorStore.inherit(int(sys.argv[1]))
        home = open_home()
        # This is tried while there is only one thread, and while this process may change what it sees.
        means(home.root)
        keep_memory_private()
        asyncio.run(_run(home, store))
    except (HomeportError, OSError, sqlite3.Error) as error:
        print(reason_to_stop(error), flush=True)
        raise SystemExit(1) from error


async def _run(home: Home, store: DescriptorStore) -> None:
    """Runs the platform until it is told to end; if it is to be restarted this does not return."""
    from .platform import Platform

    platform, ending = Platform(home, store), Ending()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.stop)
    store.on_end(ending.stop)
    await platform.releases.resume()
    # Projects are served from here on. The API's modules take longer to load than everything before.
    serve = await _load_api()
    # What is imported stays; to look through it again and again would stop all that the platform does meanwhile.
    gc.freeze()
    gc.enable()
    await serve(platform, store, ending)
    if ending.is_restart:
        await platform.leave()
        # Python's own exit would let asyncio kill the processes that it has started.
        os._exit(RESTART)
    await platform.close()


async def _load_api() -> Callable[[Platform, DescriptorStore, Ending], Awaitable[None]]:
    """Loads the API in a thread, which lets those go first who wake a project meanwhile."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(LOADING_S)
    try:
        return await asyncio.to_thread(_import_api)
    finally:
        sys.setswitchinterval(usual)


def _import_api() -> Callable[[Platform, DescriptorStore, Ending], Awaitable[None]]:
    from .serving import serve

    return serve


if __name__ == "__main__":
    main()
