"""Prints, as the only module that does: results on stdout, for people or as one JSON object; all else on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
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
        """Prints the command's result: `data` for programs, `text` for people."""
        _write(sys.stdout, _json(data) if self.as_json else text)

    def line(self, data: object, text: str) -> None:
        """Prints one item of a result that has no end, such as a followed log; with --json one object a line."""
        self.result(data, text)

    def note(self, text: str) -> None:
        _write(sys.stderr, text)

    def error(self, error: HomeportError) -> None:
        if self.as_json:
            _write(sys.stdout, _json({"ok": False, **error_answer(error)}))
            return
        _write(sys.stderr, error.message, prefix="error: ")
        if error.hint:
            _write(sys.stderr, f"  try: {error.hint}")

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
        _write(sys.stderr, f"  {stage.name:<8} {stage.seconds:6.2f} s{'  cached' if stage.cached else ''}")

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
