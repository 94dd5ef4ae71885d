"""Reads time spans such as `10m` from the command line."""

from __future__ import annotations

import re
import time

from ..errors import InputError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def since_time(text: str | None) -> float:
    """Returns the time, in seconds since 1970, that was `text` ago; 0 without a text.

    Raises InputError if it is not a time span.
    """
    return time.time() - span_seconds(text, "--since") if text else 0.0


def span_seconds(text: str, option: str) -> int:
    """Returns the seconds of a time span that was given with `option`.

    Raises InputError if it is not one.
    """
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if match is None:
        raise InputError(f"{option} {text!r} is not a time span", hint="for example 30s, 10m, 2h or 1d")
    return int(match[1]) * UNITS[match[2]]
