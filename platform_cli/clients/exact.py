"""Reads JSON that a person typed, refuses what would become another value on its way, and writes JSON for people."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ..errors import InputError

# More digits take long to read: Python refuses them, too (sys.set_int_max_str_digits).
MAX_DIGITS = 4000
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_value(text: str) -> Any:
    """Returns the value of JSON text; integers of any usual length stay what they are.

    Raises InputError for what is no JSON, and for numbers that no double can hold, such as 1e400 (RFC 8259, section 6).
    """
    try:
        return json.loads(text, parse_float=_float, parse_int=_int, parse_constant=_no_constant)
    except InputError:
        raise
    except RecursionError:
        raise InputError("this is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"this is not JSON: {error}") from None


def read_object(text: str) -> dict[str, Any]:
    """Returns the object of JSON text. Raises InputError as `read_value` does, and for other values."""
    value = read_value(text)
    if not isinstance(value, dict):
        raise InputError("this is not a JSON object", hint='for example {"key": "value"}')
    return value


def write_value(value: object, *, indent: int | None = None) -> str:
    """Returns a value as readable JSON, with escapes alone where a text has halves of surrogate pairs."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return text if _SURROGATE.search(text) is None else json.dumps(value, indent=indent)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise InputError(f"{shortened(text)} is more than a number of JSON can be on its way")
    return value


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise InputError(f"{shortened(text)} has more digits than servers read")
    return int(text)


def _no_constant(text: str) -> None:
    raise InputError(f"{text} is no JSON value")


def shortened(text: str) -> str:
    """Returns the text as a message shows it: its beginning, if it is long."""
    return text if len(text) <= 20 else f"{text[:20]}…"
