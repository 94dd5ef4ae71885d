"""Puts one server into a client's configuration file and leaves every other character of it as it was."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import HomeportError, InputError
from ..home import write_atomic

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class _Member:
    """One `"key": value` of an object: where its key starts, and where its value starts and ends."""

    key: str
    key_start: int
    start: int
    end: int


def write_server(path: Path, section: str, name: str, entry: dict[str, Any]) -> Path | None:
    """Sets `entry` as server `name` in the file's `section`; returns the backup, None if nothing had to be kept.

    Raises InputError, with nothing changed, when the file is not plain JSON, and HomeportError when it cannot be read
    or written.
    """
    try:
        # A link into a folder of dotfiles stays a link.
        path = path.resolve()
        old = path.read_bytes() if path.exists() else b""
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
        new = with_server(_decoded(path, old), section, name, entry, where=str(path)).encode()
        if new == old:
            return None
        backup = path.with_name(f"{path.name}.{datetime.now():%Y%m%d-%H%M%S-%f}.bak") if old else None
        if backup:
            write_atomic(backup, old, mode)
        write_atomic(path, new, mode)
    except OSError as error:
        raise HomeportError(
            f"{path} cannot be changed: {error.strerror}",
            hint="paste the configuration, which is printed without --write",
        ) from error
    return backup


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _refused(str(path), "it is not UTF-8 text") from error


def with_server(text: str, section: str, name: str, entry: dict[str, Any], *, where: str) -> str:
    """`text` with server `name` set to `entry`. Raises InputError that begins with `where` if `text` is not JSON."""
    if not text.strip():
        return json.dumps({section: {name: entry}}, indent=2, ensure_ascii=False) + "\n"
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _refused(where, str(error)) from None
    if not isinstance(document, dict) or not isinstance(document.get(section, {}), dict):
        raise _refused(where, f"it is no object with an object {section!r} in it")
    if document.get(section, {}).get(name) == entry:
        return text
    root = _SPACE.match(text).end()  # type: ignore[union-attr]  # it matches the empty string
    indent = _indent(text)
    found = next((member for member in _members(text, root) if member.key == section), None)
    if found is None:
        return _with_member(text, root, section, {name: entry}, indent, depth=1)
    return _with_member(text, found.start, name, entry, indent, depth=2)


def _refused(where: str, reason: str) -> InputError:
    return InputError(
        f"{where} is not plain JSON, so it was left as it is: {reason}",
        hint="paste the configuration, which is printed without --write, into it yourself; comments stay that way",
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is there twice in one object")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _indent(text: str) -> str:
    """What the file indents by: the white space in front of its first indented line."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "


def _members(text: str, start: int) -> Iterator[_Member]:
    """The members of the object that starts at `start`, in text that is known to be JSON."""
    position = _skip(text, start + 1)
    while text[position] != "}":
        key_start = position
        key, position = _DECODER.raw_decode(text, position)
        value_start = _skip(text, _skip(text, position) + 1)
        _value, value_end = _DECODER.raw_decode(text, value_start)
        yield _Member(key, key_start, value_start, value_end)
        position = _skip(text, value_end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _with_member(text: str, start: int, key: str, value: Any, indent: str, depth: int) -> str:
    """`text` with one member of the object at `start` set: in place if it is there, else after the last one."""
    newline = "\r\n" if "\r\n" in text else "\n"
    line = newline + indent * depth
    rendered = json.dumps(value, indent=indent, ensure_ascii=False).replace("\n", line)
    members = list(_members(text, start))
    for member in members:
        if member.key == key:
            return text[: member.start] + rendered + text[member.end :]
    added = f"{line}{json.dumps(key, ensure_ascii=False)}: {rendered}"
    if members:
        return text[: members[-1].end] + "," + added + text[members[-1].end :]
    end = text.index("}", start)
    return text[: start + 1] + added + newline + indent * (depth - 1) + text[end:]
