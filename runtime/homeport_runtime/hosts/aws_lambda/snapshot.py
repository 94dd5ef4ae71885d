"""Supports SnapStart, for which Lambda keeps an image of the process before its lifespan, and starts instances from it.

What the server opens in its lifespan is each copy's own; what its module opened while it was imported is shared.
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
    """Lets the snapshot be taken, and returns in each copy of it."""
    with suppress(Exception):
        # What an SDK creates on first use is then in the snapshot, too.
        await asyncio.to_thread(rehearse)
    await asyncio.to_thread(api.restored)
    _diverge()


def _diverge() -> None:
    """Seeds random generators anew, since copies must not draw the same numbers.

    The kernel's own, and so secrets and uuid4, differ anyway
    (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html).
    """
    modules: dict[str, Any] = dict(sys.modules)
    if "random" in modules:
        modules["random"].seed()
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "ssl" in modules:
        modules["ssl"].RAND_add(os.urandom(32), 32)
