"""Prints, as the only module that does: results on stdout, for people or as one JSON object; all else on stderr.

A reader that has closed its end of a pipe wants no more: what has no end stops then, and all else goes on, since what
a command does and its exit code do not depend on who looks.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from ..api.failure import error_answer
from ..errors import HomeportError
from ..pipeline.stages import Stage, Stages

# Control characters other than tab and newline, with which a server's text could move the cursor or rename the window.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Those, and newlines, line separators, and what changes the direction of writing (Unicode Standard Annex 9), with which
# a stranger could disguise what follows.
_DISGUISE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Output:
    """Prints the output of one command; with `as_json` stdout gets one JSON object and nothing else."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._spinner: Any = None

    def result(self, data: object, text: str) -> None:
        """Prints the command's result: `data` for programs, `text` for people.

        Raises HomeportError if it cannot be written, since the disk is full for instance.
        """
        with contextlib.suppress(BrokenPipeError), _on_stdout():
            _write(sys.stdout, _json(data) if self.as_json else text)

    def line(self, data: object, text: str) -> None:
        """Prints one item of a result that may have no end, such as a followed log; with --json one object a line.

        Ends the command when nobody reads on.
        """
        with _while_read(), _on_stdout():
            _write(sys.stdout, _json(data) if self.as_json else text)

    def exact_line(self, line: str) -> None:
        """Prints an item as `line` does, with what could disguise it to people left as it is."""
        with _while_read(), _on_stdout():
            sys.stdout.buffer.write(f"{line}\n".encode())
            sys.stdout.buffer.flush()

    def note(self, text: str) -> None:
        _tell(text)

    def error(self, error: HomeportError) -> None:
        if self.as_json:
            with contextlib.suppress(OSError):
                _write(sys.stdout, _json({"ok": False, **error_answer(error)}))
                return
        _tell(error.message, prefix="error: ")
        if error.hint:
            _tell(f"  try: {error.hint}")

    def stages(self) -> Stages:
        """Returns stages that are shown with a spinner on a terminal, else as plain lines."""
        return Stages(self._stage_starts, self._stage_ended)

    def _stage_starts(self, name: str) -> None:
        if sys.stderr.isatty():
            from rich.console import Console

            self._spinner = Console(stderr=True).status(f"{name} ...")
            self._spinner.start()

    def _stage_ended(self, stage: Stage) -> None:
        self.stop_spinner()
        _tell(f"  {stage.name:<8} {stage.seconds:6.2f} s{'  cached' if stage.cached else ''}")

    def stop_spinner(self) -> None:
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None


def _json(data: object) -> str:
    """Returns readable JSON, or escaped where stdout cannot encode it: an argument that is not UTF-8 has lone
    surrogates.
    """
    # In a JSON document they only occur in texts.
    text = _DISGUISE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(data, ensure_ascii=False))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(data)
    return text


@contextmanager
def _while_read() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(0) from None


@contextmanager
def _on_stdout() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise HomeportError(
            f"what the command had to do is done, but its output cannot be written: {error.strerror}",
            hint="send it to where there is space",
        ) from None


def _tell(text: str, prefix: str = "") -> None:
    """Prints on stderr for whoever is there to read it."""
    with contextlib.suppress(OSError):
        _write(sys.stderr, text, prefix)


def _write(stream: Any, text: str, prefix: str = "") -> None:
    """Prints `text` as a line, after `prefix`, which is red on a terminal unless NO_COLOR is set."""
    if stream.isatty():
        text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
        if prefix and not os.environ.get("NO_COLOR"):
            prefix = click.style(prefix, fg="red", bold=True)
    encoding = stream.encoding or "utf-8"
    stream.write(f"{prefix}{text}\n".encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def visible(text: str) -> str:
    """Returns a stranger's text as one line, in which what could steer a terminal or begin a new line is escaped."""
    return _DISGUISE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns columns as wide as their longest cell, two spaces apart."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows))
    return "\n".join(line.rstrip() for line in lines)
