"""Text streams that hand over whole lines, in the place of sys.stdout and sys.stderr."""

from __future__ import annotations

import codecs
import io
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .scrub import Scrubber

# Characters of a line without an end that are kept; a longer one is handed over in pieces.
MAX_LINE = 64 * 1024
NO_SECRETS = Scrubber({})


class _Rest(NamedTuple):
    request: str | None
    text: str


class LineStream(io.TextIOBase):
    """Gives each line that is not blank to `sink`, with the request that wrote it.

    What has no newline yet is kept by thread, since tools that run side by side in threads write side by side.
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
        # A progress bar writes its line again and again from the start; only how it looks in the end is a line.
        last = last[max(last.rfind("\r", 0, -1), 0) :]
        if len(last) > MAX_LINE + self._scrubber.longest:
            # Nobody could tell a secret by its halves.
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
        """A record is a whole line; what is not one yet waits for its end."""

    def finish(self) -> None:
        """Hands over what has no end: the process ends."""
        while self._rests:
            _, rest = self._rests.popitem()
            self._hand_over(rest.text, rest.request)

    def close(self) -> None:
        """Standard streams stay open: the platform logs what comes after, too."""

    def reconfigure(self, **_options: Any) -> None:
        """Encoding and line ends are the records' own."""

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


class _Bytes(io.BufferedIOBase):
    """`sys.stdout.buffer`: bytes for the same lines."""

    def __init__(self, stream: LineStream) -> None:
        self.raw = self
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._stream.write(self._decoder.decode(bytes(data)))
        return size

    def flush(self) -> None:
        """As for the text."""

    def close(self) -> None:
        """As for the text."""

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True
