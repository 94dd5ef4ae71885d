"""Sends lines to a receiver of syslog over TLS (RFC 5425), as messages of RFC 5424."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import re
import socket
import struct
import sys
import termios
from collections.abc import Sequence

from ..audit.chain import timestamp_of
from ..outbound.addresses import Resolve, find_addresses
from .reading import Line
from .receivers import TAKE_S, NotTakenError, trust
from .store import Access

# Facility "log audit" (RFC 5424, section 6.2.1), and the severities "warning" and "informational".
FACILITY, WARNING, INFORMATIONAL = 13, 4, 6
_KEPT_BACK = re.compile(rb'"result":"(?:denied|limited|refused|unauthorized)"')
# The seconds between looks whether the receiver's machine has everything.
LOOK_S = 0.02


class Syslog:
    """Sends lines over one connection, which it opens when it is needed; `resolve` looks up the host.

    Syslog has no acknowledgement: lines count as taken when the receiver's machine has them, as TCP tells.
    """

    def __init__(self, access: Access, resolve: Resolve | None = None, *, private: bool) -> None:
        self._access = access
        self._resolve = resolve
        self._private = private
        self._host = _printable(socket.gethostname())
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, project: str, lines: Sequence[Line]) -> None:
        try:
            async with asyncio.timeout(TAKE_S):
                reader, writer = await self._connected()
                writer.write(b"".join(framed(message(line.text, self._host, project)) for line in lines))
                await _arrived(reader, writer)
        except BaseException:
            # What of it was sent is not known, so that the connection cannot go on.
            self.close()
            raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and not _has_ended(self._streams[0]):
            return self._streams
        self.close()
        to = self._access.destination
        addresses = await find_addresses(to.host, to.port, self._resolve, private=self._private)
        self._streams = await self._opened(addresses)
        opened = self._streams[1].get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return self._streams

    async def _opened(self, addresses: Sequence[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connects to the first address that can be connected to: a name may lead to some that cannot."""
        to, context = self._access.destination, trust(self._access)
        for address in addresses[:-1]:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(address, to.port, ssl=context, server_hostname=to.host)
        return await asyncio.open_connection(addresses[-1], to.port, ssl=context, server_hostname=to.host)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def message(line: bytes, host: str, project: str) -> bytes:
    """Returns a line as a message of syslog: its time, the host, homeport, the project as the process, and the line."""
    severity = WARNING if _KEPT_BACK.search(line) else INFORMATIONAL
    time = timestamp_of(line) or "-"
    return f"<{FACILITY * 8 + severity}>1 {time} {host} homeport {project[:128]} audit - ".encode() + line


def framed(text: bytes) -> bytes:
    """Returns a message with its length before it (RFC 5425, section 4.3)."""
    return b"%d %b" % (len(text), text)


async def _arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Waits until the other machine has everything that was written, and has not said that it hangs up."""
    while True:
        # At least once, since the end of a connection that came before is only read then.
        await asyncio.sleep(LOOK_S)
        if _has_ended(reader) or writer.is_closing():
            raise NotTakenError("the receiver has closed the connection")
        if not writer.transport.get_write_buffer_size() and not _unacknowledged(writer):
            return


def _has_ended(reader: asyncio.StreamReader) -> bool:
    return reader.at_eof() or reader.exception() is not None


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """Returns the number of bytes that the other machine has not acknowledged, where the system tells (Linux)."""
    if not sys.platform.startswith("linux"):
        return 0
    opened = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, ValueError):
        return int(struct.unpack("i", fcntl.ioctl(opened.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    return 0


def _printable(name: str) -> str:
    """Returns a name as a message's field may have it (RFC 5424, section 6.2.4)."""
    return re.sub(r"[^!-~]", "", name)[:255] or "-"
