"""Tests what a control plane asks its master to keep, and what the next one is given."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platform_cli.controlplane.master import Master
from platform_cli.supervisor.descriptor_store import DescriptorStore
from platform_cli.supervisor.store_messages import Kept, inheritance

DEADLINE_S = 60.0
# The number is larger than that of descriptors which may be on their way at a time.
MANY = 2000


@contextmanager
def opened(path: Path) -> Iterator[int]:
    path.write_text(path.name)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def kept_after(say: Callable[[DescriptorStore], None]) -> dict[str, Kept]:
    """Returns what a master keeps when a control plane has said all that it had to."""
    ours, theirs = socket.socketpair()
    master = Master(lock=-1)
    listening = threading.Thread(target=master._listen, args=(theirs,))
    ours.setblocking(False)

    async def plane() -> None:
        store = DescriptorStore(ours)
        say(store)
        await asyncio.wait_for(store.flush(), DEADLINE_S)
        ours.close()

    listening.start()
    asyncio.run(plane())
    listening.join(DEADLINE_S)
    theirs.close()
    return master._kept


def content(descriptor: int) -> str:
    text = os.pread(descriptor, 100, 0).decode()
    os.close(descriptor)
    return text


def test_names_and_notes_go_with_the_descriptors(tmp_path: Path) -> None:
    def say(store: DescriptorStore) -> None:
        with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
            store.keep("worker/a/1", [one, two], "serves")
            store.keep("worker/a/2", [one], "serves")
            store.keep("project/a", [two])
            store.keep("worker/a/1", note="leaves")
            store.keep("project/a", [one])
            store.keep("worker/a/3", note="was never there")
            store.drop("worker/a/2")
            store.drop("worker/a/4")

    kept = kept_after(say)
    assert {name: each.note for name, each in kept.items()} == {"worker/a/1": "leaves", "project/a": ""}
    assert [content(each) for each in kept["worker/a/1"].descriptors] == ["one", "two"]
    assert [content(each) for each in kept["project/a"].descriptors] == ["one"]


def test_what_does_not_fit_is_sent_later(tmp_path: Path) -> None:
    def say(store: DescriptorStore) -> None:
        # The master runs only when this has been said.
        with opened(tmp_path / "one") as one:
            for number in range(MANY):
                store.keep("again", [one], str(number))
        store.drop("nothing")

    kept = kept_after(say)
    assert int(kept["again"].note) > 0
    assert len(kept) == 1
    for descriptor in kept["again"].descriptors:
        os.close(descriptor)


def test_a_control_plane_inherits_by_name(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with opened(tmp_path / "one") as one, theirs:
        theirs.sendall(inheritance([Kept("project/a", "", (os.dup(one),)), Kept("project/b", "note", (os.dup(one),))]))
        store = DescriptorStore.inherit(ours.detach())
        taken = store.take("project/b")
        assert taken is not None
        assert (taken.note, content(taken.descriptors[0])) == ("note", "one")
        assert store.take("project/b") is None
        (rest,) = store.take_below("project")
        assert not os.get_inheritable(rest.descriptors[0])
        store.close(rest)
        assert theirs.recv(100) == b'{"drop": "project/a"}\n'
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(rest.descriptors[0])
        assert store._master is not None
        store._master.close()
