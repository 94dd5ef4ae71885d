"""Tests that JSON on one line is what the standard library makes of it, with its encoder in C and without."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homeport_runtime.compact_json import encoder

VALUES: list[Any] = [
    "text",
    'a "quote", \\, \n, \x00, ä, \u2028 and \ud800',
    None,
    1.5,
    float("inf"),
    2**70,
    [],
    {"a": [1, {"b": None, "ä": True}], "": {}},
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("in_c", [True, False])
def test_it_encodes_as_json_does(value: Any, ensure_ascii: bool, in_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_c:
        monkeypatch.setattr("json.encoder.c_make_encoder", None)
    encode = encoder(ensure_ascii=ensure_ascii)
    expected = json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"))
    # Twice, since the encoder is kept.
    assert [encode(value), encode(value)] == [expected, expected]


def test_what_is_no_json_and_what_contains_itself_is_an_error() -> None:
    encode = encoder(ensure_ascii=True)
    with pytest.raises(TypeError):
        encode({"a": object()})
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(RecursionError):
        encode(itself)
    assert encode([1]) == "[1]"
