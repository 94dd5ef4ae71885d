"""Checks the variables for the server's process: their names, and the `${secrets.NAME}` references in their values."""

from __future__ import annotations

import re

from homeport_runtime.loading.environment import REFERENCE, RESERVED

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_variable(name: str, value: object) -> str:
    """Returns the value of a variable that is sound.

    Raises ValueError with the reason, which never contains the value, since it may be a secret.
    """
    if not NAME.fullmatch(name):
        raise ValueError("is not a variable name: letters, digits and _, and no digit first")
    if name.startswith(RESERVED):
        raise ValueError(f"is reserved: names that start with {RESERVED} belong to homeport")
    if not isinstance(value, str):
        raise ValueError(f'must be text in quotes: {name} = "..."')  # noqa: TRY004 - one kind of error per reader
    if "\0" in value:
        raise ValueError("holds a NUL character, which no environment can carry")
    if value.count("${secrets") != len(REFERENCE.findall(value)):
        raise ValueError("has a malformed reference to a secret; write ${secrets.NAME}")
    return value
