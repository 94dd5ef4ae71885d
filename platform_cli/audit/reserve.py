"""Keeps room on the disk for the lines of calls that are under way, so that they are written when the disk is full."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..hostile_files import open_regular

# More than the lines of the calls that a project has under way, each of at most some 20 KB.
RESERVE_BYTES = 4 * 1024 * 1024


class Reserve:
    """Is a file in `folder` that is removed when there is no other room."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"

    @property
    def is_held(self) -> bool:
        return self._path.exists()

    def hold(self) -> bool:
        """Takes the room, if it is not taken, and returns whether it is."""
        if self.is_held:
            return True
        taking = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(open_regular(taking, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                # Written, since a file with holes takes no room.
                file.write(bytes(RESERVE_BYTES))
                file.flush()
                os.fsync(file.fileno())
            taking.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                taking.unlink(missing_ok=True)
        return self.is_held

    def give_up(self) -> bool:
        """Frees the room, and returns whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
