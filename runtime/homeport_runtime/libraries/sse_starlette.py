"""Removes what an ended event loop leaves in sse-starlette, and what would block the next loop for ever."""

from __future__ import annotations

import sys
from typing import Any


def forget_ended_loops() -> None:
    """Prepares the library for a loop that is about to serve, which may be the second, as after a zygote's rehearsal.

    sse-starlette 1 and 2 keep the event that ends their streams in a class variable, bound to the loop that made it.
    """
    module: Any = sys.modules.get("sse_starlette.sse")
    status: Any = getattr(module, "AppStatus", None)
    if getattr(status, "should_exit_event", None) is not None:
        status.should_exit_event = None
