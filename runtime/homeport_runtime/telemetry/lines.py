"""Replaces sys.stdout and sys.stderr by text streams that pass on whole lines."""

from __future__ import annotations

import codecs
import io
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .scrub import Scrubber

# The characters of an unfinished line that are kept; a longer one is passed on in pieces.
MAX_LINE = 64 * 1024
NO_SECRETS = Scrubber({})


class _Rest(NamedTuple):
    request: str | None
    text: str


class LineStream(io.TextIOBase):
    """Passes each line that is not blank to `sink`, with the request that wrote it.

    An unfinished line is kept by thread, since tools in different threads write at the same time.
    """

    encoding = "utf-8"
    errors = "replace"
    mode = "w"
    line_buffering = True

    def __init__(
        self,
        fd: int,
        name: str,
        sink: Callable[[str, str | None], None],
        current_request: Callable[[], str | None],
        scrubber: Scrubber = NO_SECRETS,
    ) -> None:
        self.name = name
        self.buffer = _Bytes(self)
        self._fd = fd
        self._sink = sink
        self._current_request = current_request
        self._scrubber = scrubber
        self._rests: dict[int, _Rest] = {}

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        thread, request = threading.get_ident(), self._current_request()
        rest = self._rests.pop(thread, None)
        if rest is not None and rest.request != request:
            self._hand_over(rest.text, rest.request)
            rest = None
        *lines, last = ((rest.text if rest else "") + text).split("\n")
        for line in lines:
            self._hand_over(line, request)
        # A progress bar rewrites its line from the start; only its last state is a line.
        last = last[max(last.rfind("\r", 0, -1), 0) :]
        if len(last) > MAX_LINE + self._scrubber.longest:
            # Nobody could recognise the halves of a secret.
            cut = self._scrubber.whole(last)
            self._hand_over(last[:cut], request)
            last = last[cut:]
        if last:
            self._rests[thread] = _Rest(request, last)
        return len(text)

    def _hand_over(self, line: str, request: str | None) -> None:
        line = line.rstrip("\r").rpartition("\r")[2]
        if line.strip():
            self._sink(line, request)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        self.write("".join(lines))

    def flush(self) -> None:
        """Does nothing, since a record is a whole line."""

    def finish(self) -> None:
        """Passes unfinished lines on, since the process ends."""
        while self._rests:
            _, rest = self._rests.popitem()
            self._hand_over(rest.text, rest.request)

    def close(self) -> None:
        """Does nothing, since the platform logs later output, too."""

    def reconfigure(self, **_options: Any) -> None:
        """Does nothing, since records decide on encoding and line ends."""

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


class _Bytes(io.BufferedIOBase):
    """Is `sys.stdout.buffer`, whose bytes become the same lines."""

    def __init__(self, stream: LineStream) -> None:
        self.raw = self
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._stream.write(self._decoder.decode(bytes(data)))
        return size

    def flush(self) -> None:
        """Does nothing, as for the text."""

    def close(self) -> None:
        """Does nothing, as for the text."""

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True
