"""SnapStart: Lambda keeps an image of the process as it is before its lifespan, and starts instances as copies of it.

What the server opens in its lifespan is each copy's own; what its module opened while it was imported is not.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..rehearsal import rehearse

if TYPE_CHECKING:
    from .api import RuntimeAPI


async def restored(api: RuntimeAPI) -> None:
    """Has the snapshot taken; returns in each copy of it, as if that were the only one."""
    with suppress(Exception):
        # What an SDK makes on first use is in the snapshot, too.
        await asyncio.to_thread(rehearse)
    await asyncio.to_thread(api.restored)
    _diverge()


def _diverge() -> None:
    """Copies must not draw the same random numbers. The kernel's own, and so secrets and uuid4, differ anyway
    (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html).
    """
    modules: dict[str, Any] = dict(sys.modules)
    if "random" in modules:
        modules["random"].seed()
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "ssl" in modules:
        modules["ssl"].RAND_add(os.urandom(32), 32)
