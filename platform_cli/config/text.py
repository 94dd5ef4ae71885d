"""Reads a configuration file as UTF-8 text, or says what is wrong with it."""

from __future__ import annotations

import codecs
from pathlib import Path

from ..errors import ConfigError

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Returns the text of `path`; TOML and JSON (RFC 8259, section 8.1) are UTF-8 without a byte order mark.

    Raises ConfigError if the file cannot be read, or has another encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path.name}: cannot be read: {error.strerror}", hint=f"Look at {path}.") from None
    if data.startswith(_MARKS):
        raise ConfigError(f"{path.name}:1: starts with a byte order mark", hint="Save it as UTF-8 without a BOM.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path.name}:{line}: is not UTF-8", hint="Save it in the encoding UTF-8.") from None
