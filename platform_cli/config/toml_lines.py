"""Finds the lines of a TOML text on which keys are written, which the parser does not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import tomli

Path = tuple[str, ...]

_PIECE = re.compile(
    r'''"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:'{0,2})|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|\#[^\n]*'''
    r"""|[A-Za-z0-9_-]+|[ \t\r]+|.""",
    re.DOTALL,
)
_OPEN, _CLOSE = ("[", "{"), ("]", "}")


def key_lines(text: str) -> Mapping[Path, int]:
    """Returns the first line of every table and key of a valid TOML text, except keys within inline tables."""
    lines: dict[Path, int] = {}
    table: Path = ()
    for line, header, key in _statements(text):
        path = key if header else table + key
        if header:
            table = path
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length], line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, bool, Path]]:
    """Yields each `[table]` and `key =` as its line, whether it is a table, and its path."""
    line, depth = 1, 0
    start, parts, header, in_value = 1, list[str](), False, False
    for piece in _PIECE.findall(text):
        if piece == "\n" and depth == 0:
            if parts:
                yield start, header, tuple(parts)
            parts, header, in_value = [], False, False
        elif in_value:
            depth += (piece in _OPEN) - (piece in _CLOSE)
        elif piece == "[":
            header = True
        elif piece in ("=", "]"):
            in_value = piece == "="
        elif piece != "." and not piece.isspace() and not piece.startswith("#"):
            if not parts:
                start = line
            parts.append(tomli.loads(f"key = {piece}")["key"] if piece[0] in "\"'" else piece)
        line += piece.count("\n")
    if parts:
        yield start, header, tuple(parts)
