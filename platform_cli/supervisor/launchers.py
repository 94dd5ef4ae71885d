"""Chooses how the workers of a release are started: in its container, or on this machine itself."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from .containers import Containers
from .launch import Launched
from .release import RunnableRelease
from .zygotes import Zygotes


class Launchers:
    def __init__(self, zygotes: Zygotes, containers: Containers) -> None:
        self._zygotes = zygotes
        self._containers = containers

    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], shown: Sequence[Path]
    ) -> Launched:
        launcher = self._containers if release.container is not None else self._zygotes
        return await launcher.launch(release, sockets, shown)

    def adopt(self, launched: Launched, place: str) -> Launched:
        return self._containers.adopt(launched, place)
