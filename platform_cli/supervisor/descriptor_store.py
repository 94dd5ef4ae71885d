"""Descriptors that outlive the control plane: its master (controlplane.master) has them too, and hands them to the next
one. What they lead to notices nothing: a listening socket goes on listening, a worker is not left alone.

It works as systemd's file descriptor store does (FDSTORE=1 in sd_notify(3)), which not every system has.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from .store_messages import STARTED, Kept, drop, keep, read_inheritance

# What the system says when too many descriptors are on their way already, to one process or of one user (unix(7)).
CROWDED = (errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS)
# Seconds until what did not fit is sent again; those in which a process that ends waits for that.
RETRY_S = 0.05
FLUSH_S = 2.0


class DescriptorStore:
    """The control plane's end of the connection to its `master`; without one nothing is kept. `kept` is what the last
    control plane left.

    Nobody waits for the master: a message for which there is no room is sent later.
    """

    def __init__(self, master: socket.socket | None = None, kept: Sequence[Kept] = ()) -> None:
        self._master = master
        self._kept = {each.name: each for each in kept}
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()

    @classmethod
    def inherit(cls, number: int) -> DescriptorStore:
        """The store at the descriptor `number`, which the master gave this process when it started it."""
        master = socket.socket(fileno=number)
        with master.makefile("rb") as lines:
            kept = read_inheritance(lines.readline())
        for descriptor in (number, *(descriptor for each in kept for descriptor in each.descriptors)):
            os.set_inheritable(descriptor, False)
        master.setblocking(False)
        return cls(master, kept)

    def tell_started(self) -> None:
        """From now on the master starts another control plane when this one ends by itself."""
        self._send(STARTED)

    def keep(self, name: str, descriptors: Sequence[int] = (), note: str = "") -> None:
        """Without descriptors: what is kept has another `note` now."""
        self._send(keep(name, note, len(descriptors)), descriptors)

    def drop(self, name: str) -> None:
        self._send(drop(name))

    def take(self, name: str) -> Kept | None:
        """What the last control plane had kept; the descriptors are the caller's to close, the name goes on."""
        return self._kept.pop(name, None)

    def take_below(self, folder: str) -> Iterator[Kept]:
        for name in [name for name in self._kept if name.startswith(f"{folder}/")]:
            yield self._kept.pop(name)

    def drop_rest(self) -> None:
        """Nobody knows what has not been taken any more."""
        for name in list(self._kept):
            self.close(self._kept.pop(name))

    def close(self, kept: Kept) -> None:
        """What was taken, and is of no use."""
        self.drop(kept.name)
        for descriptor in kept.descriptors:
            os.close(descriptor)

    def on_end(self, tell: Callable[[], object]) -> None:
        """`tell` is called, on the running event loop, when the master has ended."""
        if self._master is not None:
            asyncio.get_running_loop().add_reader(self._master.fileno(), tell)

    def _send(self, message: bytes, descriptors: Sequence[int] = ()) -> None:
        if self._master is not None:
            self._unsent.append((message, tuple(descriptors)))
            if len(self._unsent) == 1:
                self._send_all(self._master)

    def _send_all(self, master: socket.socket) -> None:
        while self._unsent:
            message, descriptors = self._unsent[0]
            try:
                sent = socket.send_fds(master, [message], descriptors)
            except OSError as error:
                if error.errno in CROWDED:
                    asyncio.get_running_loop().call_later(RETRY_S, self._send_all, master)
                    return
                # What was to be kept has been closed meanwhile, or the master is gone, and so will this process be.
                sent = len(message)
            self._unsent.popleft()
            if sent < len(message):
                self._unsent.appendleft((message[sent:], ()))

    async def flush(self) -> None:
        """Returns when the master has been told everything, or has not listened for too long."""
        for _ in range(round(FLUSH_S / RETRY_S)):
            if not self._unsent:
                return
            await asyncio.sleep(RETRY_S)
