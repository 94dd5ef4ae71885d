"""What an event loop that has ended leaves behind in sse-starlette, and the next loop would wait on for ever."""

from __future__ import annotations

import sys
from typing import Any


def forget_ended_loops() -> None:
    """Called before a loop of this process serves, which may be the second one: a zygote has rehearsed in another.

    sse-starlette 1 and 2 keep the event that ends their streams in a class variable, bound to the loop that made it.
    """
    module: Any = sys.modules.get("sse_starlette.sse")
    status: Any = getattr(module, "AppStatus", None)
    if getattr(status, "should_exit_event", None) is not None:
        status.should_exit_event = None
