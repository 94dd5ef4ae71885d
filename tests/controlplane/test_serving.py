"""Tests that a work of the platform's that fails does not do so in silence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from platform_cli.controlplane.serving import _tell_failure


@pytest.mark.anyio
async def test_a_work_that_fails_is_told_of_and_one_that_is_cancelled_is_not() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))

    async def fail() -> None:
        raise ValueError("what nobody thought of")

    async def go_on() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(work) for work in (fail(), go_on())]
    for task in tasks:
        task.add_done_callback(_tell_failure)
    await asyncio.wait({tasks[0]})
    tasks[1].cancel()
    await asyncio.wait({tasks[1]})
    assert [str(each["exception"]) for each in told] == ["what nobody thought of"]
