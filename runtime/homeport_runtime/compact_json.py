"""Encodes JSON on one line, for what is written with every call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def encoder(*, ensure_ascii: bool) -> Callable[[Any], str]:
    """Returns a function that encodes a value without spaces; a value that contains itself raises RecursionError.

    It keeps the encoder in C that `JSONEncoder.encode` makes anew for each value, which takes longer than to encode a
    message of usual size.
    """
    plain = json.JSONEncoder(ensure_ascii=ensure_ascii, separators=(",", ":"), check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    text = json.encoder.encode_basestring_ascii if ensure_ascii else json.encoder.encode_basestring
    # Its arguments are those that JSONEncoder.iterencode gives it.
    parts = make(None, plain.default, text, None, ":", ",", False, False, True)
    join = "".join
    return lambda value: text(value) if type(value) is str else join(parts(value, 0))
