"""Tests that what a server printed before its end is part of the reason."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.errors import InspectError, ReleaseError
from platform_cli.supervisor.inspection import inspect_release
from platform_cli.supervisor.jobs import serving_job
from platform_cli.supervisor.launch import PlainLauncher
from platform_cli.supervisor.release import RunnableRelease
from platform_cli.supervisor.worker_start import start_worker

from .releases import release_with

USAGE = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--root', required=True)\n"
ARGPARSE = f"{USAGE}parser.parse_args()\n"
# It ends the process without a chance for anybody to say why.
SILENT = "import os, sys\nprint('no licence for', os.environ['KEY'], file=sys.stderr)\nos._exit(3)\n"


def inspection_error(release: RunnableRelease) -> str:
    with pytest.raises(InspectError) as failed:
        asyncio.run(inspect_release(PlainLauncher(), release))
    return failed.value.message


def activation_error(release: RunnableRelease, workdir: Path) -> str:
    async def run() -> None:
        job = serving_job(release, workdir, "00" * 32, proven=False)
        worker = await start_worker(PlainLauncher(), release, job, sockets=(), sink=lambda *_: None)
        await worker.expect("ready", 60)

    workdir.mkdir()
    with pytest.raises((InspectError, ReleaseError)) as failed:
        asyncio.run(run())
    return failed.value.message


def test_the_usage_of_a_program(tmp_path: Path) -> None:
    release = release_with(tmp_path, ARGPARSE)
    for message in (inspection_error(release), activation_error(release, tmp_path / "files")):
        assert "the following arguments are required: --root" in message
        assert message.index("ended") < message.index("it printed:")


def test_the_last_line_of_a_process_that_ends_at_once(tmp_path: Path) -> None:
    release = replace(release_with(tmp_path, SILENT, KEY="${secrets.KEY}"), secrets=lambda: {"KEY": "hush-hush-hush"})
    for message in (inspection_error(release), activation_error(release, tmp_path / "files")):
        assert "exit 3" in message
        assert "no licence for" in message
        assert "hush" not in message
