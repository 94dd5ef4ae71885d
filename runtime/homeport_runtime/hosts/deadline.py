"""Limits the time that a server has to start."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from .channel import Channel

_HINT = (
    "do slow work on the first call or in a lifespan, or raise start_timeout_s under [deployment]; "
    'a server that is run when its file is imported belongs under `if __name__ == "__main__":`'
)
# For a server that is installed, and has no file of the person's own.
_HINT_FOR_PACKAGES = (
    'run the command again on a quieter machine, or give it longer: a fastmcp.toml with command = "uvx PACKAGE" and '
    "start_timeout_s = 300 under [deployment]"
)


class Deadline:
    """Ends a process that does not start in time, and reports where the server's code was waiting."""

    def __init__(self, seconds: float, app_folder: Path, channel: Channel) -> None:
        self._seconds = seconds
        self._app_folder = app_folder
        self._channel = channel
        self._started = threading.Event()
        self._main = threading.get_ident()
        threading.Thread(target=self._watch, name="start-deadline", daemon=True).start()

    def reached_start(self) -> None:
        self._started.set()

    def _watch(self) -> None:
        if self._started.wait(self._seconds):
            return
        self._channel.send(
            event="failed",
            message=f"the server did not finish starting within {self._seconds:g} s{self._where()}",
            hint=_HINT if any(self._app_folder.glob("*")) else _HINT_FOR_PACKAGES,
            trace="",
        )
        os._exit(1)

    def _where(self) -> str:
        frame = sys._current_frames().get(self._main)
        prefix = f"{self._app_folder}/"
        while frame is not None:
            if frame.f_code.co_filename.startswith(prefix):
                return f"; it waits in {frame.f_code.co_filename.removeprefix(prefix)}, line {frame.f_lineno}"
            frame = frame.f_back
        return ""
