"""Tests how workers are taken over that an earlier control plane has left."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from homeport_runtime.guard.access import Access, ClientToken
from platform_cli.audit.book import AuditBook
from platform_cli.audit.chain import NOTHING
from platform_cli.supervisor.descriptor_store import DescriptorStore
from platform_cli.supervisor.journal import Journal
from platform_cli.supervisor.kept import KeptProject
from platform_cli.supervisor.logbook import LogBook
from platform_cli.supervisor.store_messages import Kept

from .releases import release_of
from .stand_ins import PROGRAM, StandIns

OWN, REVOKED = ClientToken("own"), ClientToken("revoked")


@pytest.mark.parametrize(("knew", "is_told"), [((OWN, REVOKED), True), ((OWN,), False)])
def test_a_worker_that_may_not_have_heard_who_may_call_is_told_again(
    tmp_path: Path, knew: tuple[ClientToken, ...], is_told: bool
) -> None:
    """A kill comes between a token's revocation and the message of it."""

    async def run() -> None:
        release = replace(release_of(tmp_path, ()), access=Access((OWN,)))
        note = {"release": 1, "fingerprint": replace(release, access=Access(knew)).fingerprint()}
        ours, theirs = socket.socketpair()
        (output, output_end), (errors, errors_end) = os.pipe(), os.pipe()
        process = await asyncio.create_subprocess_exec(*PROGRAM, start_new_session=True)
        kept = Kept(f"worker/p/here:{process.pid}", json.dumps(note), (ours.detach(), output, errors))
        journal = Journal(LogBook(tmp_path / "logs", "p"), AuditBook(tmp_path / "audit", "p", NOTHING))
        project = KeptProject(DescriptorStore(kept=(kept,)), "p")
        (adopted,) = await project.adopt_workers(release, lambda _number: release, journal, StandIns())
        adopted.worker.tell(do="share", workers=1)
        orders, writer = await asyncio.open_connection(sock=theirs)
        told = [json.loads(await orders.readline())]
        if is_told:
            told.append(json.loads(await orders.readline()))
        assert [each["do"] for each in told] == (["access", "share"] if is_told else ["share"])
        assert not is_told or told[0]["access"] == Access((OWN,)).to_data()
        assert adopted.is_current is not is_told
        process.kill()
        await process.wait()
        for end in (output_end, errors_end):
            os.close(end)
        writer.close()
        await adopted.worker.gone.wait()
        journal.close()

    asyncio.run(run())
