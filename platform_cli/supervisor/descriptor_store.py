"""Keeps file descriptors beyond the control plane's life, through its master, which gives them to the next one.

Nothing is interrupted: a listening socket still listens, and a worker keeps its channel (controlplane.master). It works
as systemd's file descriptor store does (FDSTORE=1 in sd_notify(3)), which not every system has.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from .store_messages import STARTED, Kept, drop, keep, read_inheritance

# The errors for too many descriptors on their way, to one process or of one user (unix(7)).
CROWDED = (errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS)
# The seconds until a message that did not fit is sent again, and those for which a process that ends waits for it.
RETRY_S = 0.05
FLUSH_S = 2.0


class DescriptorStore:
    """Is the control plane's end of the connection to its `master`, without which nothing is kept.

    `kept` is what the last control plane has left. Nobody waits for the master: a message that does not fit is sent
    later.
    """

    def __init__(self, master: socket.socket | None = None, kept: Sequence[Kept] = ()) -> None:
        self._master = master
        self._kept = {each.name: each for each in kept}
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()

    @classmethod
    def inherit(cls, number: int) -> DescriptorStore:
        """Returns the store at the descriptor `number`, which the master gave this process when it started it."""
        master = socket.socket(fileno=number)
        with master.makefile("rb") as lines:
            kept = read_inheritance(lines.readline())
        for descriptor in (number, *(descriptor for each in kept for descriptor in each.descriptors)):
            os.set_inheritable(descriptor, False)
        master.setblocking(False)
        return cls(master, kept)

    def tell_started(self) -> None:
        """Tells the master to start another control plane when this one ends by itself, from now on."""
        self._send(STARTED)

    def keep(self, name: str, descriptors: Sequence[int] = (), note: str = "") -> None:
        """Keeps descriptors under a name; without descriptors it changes the `note` of those that are kept."""
        self._send(keep(name, note, len(descriptors)), descriptors)

    def drop(self, name: str) -> None:
        self._send(drop(name))

    def take(self, name: str) -> Kept | None:
        """Returns what the last control plane kept under a name; the caller closes the descriptors, and the name stays
        in use.
        """
        return self._kept.pop(name, None)

    def take_below(self, folder: str) -> Iterator[Kept]:
        for name in [name for name in self._kept if name.startswith(f"{folder}/")]:
            yield self._kept.pop(name)

    def drop_rest(self) -> None:
        """Drops what nobody has taken, since nobody will."""
        for name in list(self._kept):
            self.close(self._kept.pop(name))

    def close(self, kept: Kept) -> None:
        """Closes and drops something that was taken and is of no use."""
        self.drop(kept.name)
        for descriptor in kept.descriptors:
            os.close(descriptor)

    def on_end(self, tell: Callable[[], object]) -> None:
        """Calls `tell`, on the running event loop, when the master has ended."""
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
                # Either the descriptor has been closed meanwhile, or the master is gone, and this process will be.
                sent = len(message)
            self._unsent.popleft()
            if sent < len(message):
                self._unsent.appendleft((message[sent:], ()))

    @property
    def is_behind(self) -> bool:
        """Tells whether there is something that the master has not received."""
        return bool(self._unsent)

    async def flush(self) -> None:
        """Waits until the master has received everything, but no longer than FLUSH_S."""
        for _ in range(round(FLUSH_S / RETRY_S)):
            if not self.is_behind:
                return
            await asyncio.sleep(RETRY_S)
