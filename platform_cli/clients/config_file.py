"""Adds one server to a client's configuration file, and keeps its other content and its formatting."""

from __future__ import annotations

import json
import re
import stat
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import HomeportError, InputError
from ..home import write_atomic


def write_server(path: Path, section: str, name: str, entry: dict[str, Any]) -> Path | None:
    """Sets `entry` as server `name` in the file's `section`, and returns the backup's path, None if nothing was
    overwritten.

    Raises InputError, with nothing changed, when the file is not plain JSON, and HomeportError when it cannot be read
    or written.
    """
    try:
        # The target is written, so that a symlink into a folder of dotfiles stays a symlink.
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
    """Returns `text` with server `name` set to `entry`.

    Raises InputError that begins with `where` if `text` is not JSON.
    """
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
    document.setdefault(section, {})[name] = entry
    return _written(document, like=text, where=where)


def _written(document: dict[str, Any], *, like: str, where: str) -> str:
    """Writes the document with the file's own indentation, line endings and escaping."""
    try:
        # A file without escapes shows its characters as they are.
        written = json.dumps(document, indent=_indent(like), ensure_ascii="\\u" in like, allow_nan=False)
    except ValueError as error:
        raise _refused(where, str(error)) from None
    return (written + "\n" * like.endswith("\n")).replace("\n", "\r\n" if "\r\n" in like else "\n")


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
    """Returns the file's indentation: the white space before its first indented line."""
    found = re.search(r"\n([ \t]+)\S", text)
    return found[1] if found else "  "
