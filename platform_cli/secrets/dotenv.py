"""Parses .env files: the KEY=VALUE lines on which shells, Docker Compose and python-dotenv agree."""

from __future__ import annotations

import re

from ..errors import InputError

_START = re.compile(r"[ \t]*(?:export[ \t]+)?([^\s=#]+)[ \t]*=[ \t]*")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE = re.compile(r"'([^']*)'")
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_SKIPPED = re.compile(r"[ \t]*(?:#[^\n]*)?\n")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def parse_dotenv(text: str, where: str) -> dict[str, str]:
    """Returns the values by name, of several with one name the last.

    Quoted values may have several lines, only double quotes allow escapes, and nothing is expanded. Raises InputError
    with `where` and the line, never with its content.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n") + "\n"
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        if skipped := _SKIPPED.match(text, position):
            position = skipped.end()
            continue
        start = _START.match(text, position)
        if start is None:
            raise _error(where, text, position, "is not KEY=VALUE")
        values[start[1]], end = _value(text, start.end(), where)
        rest = _REST.match(text, end)
        if rest is None:
            raise _error(where, text, end, "goes on behind the closing quote")
        position = rest.end()
    return values


def _value(text: str, position: int, where: str) -> tuple[str, int]:
    if text[position] not in "\"'":
        end = text.index("\n", position)
        return re.split(r"(?:^|\s)#", text[position:end], maxsplit=1)[0].strip(), end
    quoted = (_DOUBLE if text[position] == '"' else _SINGLE).match(text, position)
    if quoted is None:
        raise _error(where, text, position, "begins a quote that never ends")
    if text[position] == "'":
        return quoted[1], quoted.end()
    return _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[0]), quoted[1]), quoted.end()


def _error(where: str, text: str, position: int, what: str) -> InputError:
    line = text.count("\n", 0, position) + 1
    return InputError(f"{where}, line {line} {what}", hint="lines are KEY=VALUE, comments start with #")
