"""Tests how the console is let in by the projects that it tries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from platform_cli.controlplane.locks import ProjectLocks
from platform_cli.controlplane.running_releases import RunningReleases
from platform_cli.controlplane.stores import Stores, open_stores
from platform_cli.controlplane.tries import Tries
from platform_cli.errors import ReleaseError
from platform_cli.home import Home


class Admitting:
    """Stands for what tells running workers who may call: at first it fails."""

    def __init__(self) -> None:
        self.asked = 0

    async def admit(self, _project: str) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked == 1:
            raise ReleaseError("the worker does not answer")


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with closing(open_stores(Home(tmp_path))) as opened:
        opened.access.settle("shop", "token")
        yield opened


def test_no_request_has_a_token_that_workers_do_not_know(stores: Stores) -> None:
    async def run() -> tuple[list[object], int, int]:
        admitting = Admitting()
        tries = Tries(stores, ProjectLocks(), cast("RunningReleases", admitting))
        both = [tries._headers("shop", "me"), tries._headers("shop", "me")]
        found: list[object] = list(await asyncio.gather(*both, return_exceptions=True))
        asked = admitting.asked
        await tries._headers("shop", "me")
        return found, asked, admitting.asked

    (first, second), asked, later = asyncio.run(run())
    assert isinstance(first, ReleaseError)
    assert isinstance(second, dict)
    # Each was told of it by itself, and after that nobody is.
    assert (asked, later) == (2, 2)
