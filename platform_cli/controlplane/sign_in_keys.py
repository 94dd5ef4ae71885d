"""Rotates the keys of access tokens, fetches those of other authorization servers, and tells workers of both."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys

from ..errors import HomeportError, PlatformError
from .locks import ProjectLocks
from .protected_projects import ProtectedProjects
from .running_releases import RunningReleases

# The seconds between looks at what is due.
LOOK_S = 60.0


class SignInKeys:
    def __init__(self, sign_in: ProtectedProjects, locks: ProjectLocks, running: RunningReleases) -> None:
        self._sign_in = sign_in
        self._locks = locks
        self._running = running
        self._fetching: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Rotates old keys, fetches those of others once an hour, and never returns."""
        while True:
            # On a full or broken disk the next turn tries again.
            with contextlib.suppress(sqlite3.Error):
                await self._look()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        for project in self._sign_in.all_here():
            if self._sign_in.server.keys.rotate_old(project.name):
                await self._tell(project.name)
        self._sign_in.server.public_keys.rotate_old()
        for issuer in self._sign_in.issuers_in_use():
            if self._sign_in.issuers.is_due(issuer):
                await self._renew(issuer)

    def want(self, project: str) -> None:
        """Fetches the keys of a project's issuer, since a token has one that is unknown, but at most once a minute."""
        issuer = self._sign_in.issuer_of(project)
        if issuer is not None and self._sign_in.issuers.is_due(issuer, is_wanted=True):
            task = asyncio.ensure_future(self._renew(issuer))
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)

    async def _renew(self, issuer: str) -> None:
        try:
            changed = await self._sign_in.issuers.fetch(issuer)
        except PlatformError as error:
            # What is known goes on to verify.
            print(f"{error.message}; the keys of before are used", file=sys.stderr, flush=True)
            return
        for project in self._sign_in.users_of(issuer) if changed else ():
            await self._tell(project)

    async def _tell(self, project: str) -> None:
        # A worker that cannot be told hears of it when it starts again.
        with contextlib.suppress(HomeportError):
            async with self._locks.of(project):
                await self._running.admit(project)
