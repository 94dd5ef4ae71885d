"""Tests what of a call's arguments is kept in the audit log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homeport_runtime.guard.redaction import MAX_ARGUMENTS, MAX_TEXT, REDACTED, Redaction


def kept(redaction: Redaction, arguments: object) -> Any:
    return json.loads(redaction.text(arguments))


def test_what_nobody_else_may_read_is_redacted() -> None:
    arguments = {
        "amount": 50,
        "password": "x",
        "apiKey": "x",
        "API-Key": 5,
        "nested": [{"Access_Token": {"value": "x"}, "note": "coffee"}],
        "card_number": "4111",
    }
    assert kept(Redaction("redacted"), arguments) == {
        "amount": 50,
        "password": REDACTED,
        "apiKey": REDACTED,
        "API-Key": REDACTED,
        "nested": [{"Access_Token": REDACTED, "note": "coffee"}],
        "card_number": REDACTED,
    }


def test_what_is_redacted_stays_so_however_often_it_comes() -> None:
    redaction = Redaction("redacted", ["employee_no"])
    for value in ("x", 5, None, {"a": 1}, "y" * 2000, "%s", 'z"'):
        for _ in range(2):
            found = kept(redaction, {"password": value, "50%s": "100%", "Employee-No": value, 'a"b': 1})
            assert found == {"password": REDACTED, "50%s": "100%", "Employee-No": REDACTED, 'a"b': 1}


def test_a_project_has_names_of_its_own() -> None:
    assert kept(Redaction("redacted", ["employee_no"]), {"employeeNo": 7, "a": 1}) == {"employeeNo": REDACTED, "a": 1}


def test_modes() -> None:
    assert kept(Redaction("none"), {"a": 1}) is None
    assert kept(Redaction("full"), {"password": "x"}) == {"password": "x"}
    hashed = Redaction("hash")
    assert hashed.text({"a": 1, "b": 2}) == hashed.text({"b": 2, "a": 1})
    assert set(kept(hashed, {"a": 1})) == {"sha256"}
    assert kept(Redaction("redacted"), None) is None


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else "end"


@pytest.mark.parametrize("mode", ["redacted", "full"])
@pytest.mark.parametrize(
    "arguments", [{"a": "x" * 10**6}, {"x" * 10**6: 1}, {str(n): "x" for n in range(10**4)}, deep(400), ["\ud800"]]
)
def test_nothing_fills_the_log(mode: str, arguments: object) -> None:
    assert len(Redaction(mode).text(arguments)) <= MAX_ARGUMENTS


@pytest.mark.parametrize("mode", ["redacted", "full"])
def test_what_is_kept_reads_as_it_was_sent(mode: str) -> None:
    arguments = {
        "text": 'ä "quoted" \\ \n \u2028 \x1e',
        "numbers": [0, -1, 2**70, 1.5, 1e300],
        "others": [True, False, None],
        "empty": [{}, [], ""],
        'odd "name"\n': {"a": [{"b": [1]}]},
    }
    for _ in range(2):
        assert kept(Redaction(mode), arguments) == arguments


def test_a_long_text_is_known_by_its_hash() -> None:
    cut = kept(Redaction("redacted"), {"a": "x" * (MAX_TEXT + 1)})["a"]
    assert cut.startswith("x" * MAX_TEXT + "... [1025 characters, sha256 ")
