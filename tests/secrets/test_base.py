from __future__ import annotations

import os

import pytest

from platform_cli.errors import InputError
from platform_cli.secrets.base import MAX_VALUE_BYTES, check_secret


@pytest.mark.parametrize("name", ["A", "_", "api_key2", "DATABASE_URL"])
def test_names_and_values(name: str) -> None:
    for value in ("x", " ", "line\nline", "é" * (MAX_VALUE_BYTES // 2), "${secrets.A}"):
        check_secret(name, value)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A\n", "ä", "../A"])
def test_bad_names(name: str) -> None:
    with pytest.raises(InputError, match="is not a secret's name"):
        check_secret(name, "sk-hidden")


def test_homeports_own_names() -> None:
    with pytest.raises(InputError, match="belong to homeport"):
        check_secret("HOMEPORT_STATE_KEY", "sk-hidden")


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("", "is empty"),
        ("sk-hidden\0", "NUL"),
        ("sk-hidden" * MAX_VALUE_BYTES, "more than the 65536 bytes"),
        (os.fsdecode(b"sk-hidden\xff"), "not UTF-8"),
    ],
)
def test_bad_values_are_not_shown(value: str, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        check_secret("A", value)
    assert "sk-hidden" not in f"{caught.value.message} {caught.value.hint}"
