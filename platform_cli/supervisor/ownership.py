"""Gives the folders of a project to the user that its server runs as, whatever user that was before."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from homeport_runtime.hosts.users import give_to

from ..own_code import open_to_all


async def own(folders: Iterable[Path], user: int | None) -> None:
    """Makes the folders, with all that is in them, the property of `user`, None for the platform's own user.

    Only root may do that, and elsewhere there is no other user.
    """
    if os.getuid() != 0:
        return
    user, group = (os.getuid(), os.getgid()) if user is None else (user, user)
    for folder in [folder for folder in folders if folder.is_dir() and folder.lstat().st_uid != user]:
        # The server may have made many files.
        await asyncio.to_thread(give_to, user, group, folder)


def take_back(folder: Path) -> None:
    """Makes a folder the platform's own again, and lets all users read it."""
    give_to(os.getuid(), os.getgid(), folder)
    open_to_all(folder)
