"""Gives the folders of a project to the user that its server runs as, whatever user that was before."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


async def own(folders: Iterable[Path], user: int | None) -> None:
    """Makes the folders, with all that is in them, the property of `user`, None for the platform's own user."""
    user, group = (os.getuid(), os.getgid()) if user is None else (user, user)
    others = [folder for folder in folders if folder.lstat().st_uid != user]
    for folder in others:
        # The server may have made many files.
        await asyncio.to_thread(give_to, user, group, folder)


def give_to(user: int, group: int, folder: Path) -> None:
    """Makes a folder, with all that is in it, the property of `user`, without following what the server has linked.

    The folder itself comes last: it is another user's until all that is in it is this one's.
    """
    for _path, folders, files, descriptor in os.fwalk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                os.chown(name, user, group, dir_fd=descriptor, follow_symlinks=False)
    os.chown(folder, user, group, follow_symlinks=False)
