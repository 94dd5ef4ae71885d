"""Lets the operations on one project follow each other."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class ProjectLocks:
    """Has a lock for each project; deploy, rollback, destroy, tokens and garbage hold it for one operation."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def of(self, project: str) -> asyncio.Lock:
        return self._locks[project]
