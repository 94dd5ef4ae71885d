from __future__ import annotations

import pytest

from platform_cli.config.environment import check_variable


@pytest.mark.parametrize("value", ["", "plain $5 {x}", "${secrets.A}", "a ${secrets.A_1} b ${secrets.b}", "${OTHER}"])
def test_a_value_is_kept_as_it_is(value: str) -> None:
    assert check_variable("_KEY1", value) == value


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("", "sk-hidden", "not a variable name"),
        ("1A", "sk-hidden", "not a variable name"),
        ("A-B", "sk-hidden", "not a variable name"),
        ("A=B", "sk-hidden", "not a variable name"),
        ("A1²", "sk-hidden", "not a variable name"),
        ("Ä", "sk-hidden", "not a variable name"),
        ("A\n", "sk-hidden", "not a variable name"),
        ("HOMEPORT_X", "sk-hidden", "reserved"),
        ("A", 3133731337, "text in quotes"),
        ("A", True, "text in quotes"),
        ("A", ["sk-hidden"], "text in quotes"),
        ("A", "sk-hidden\0", "NUL"),
        ("A", "sk-hidden ${secrets.", "malformed"),
        ("A", "sk-hidden ${secrets.A", "malformed"),
        ("A", "sk-hidden ${secrets.}", "malformed"),
        ("A", "sk-hidden ${secrets.1}", "malformed"),
        ("A", "sk-hidden ${secrets.A} ${secrets.B-C}", "malformed"),
        ("A", "sk-hidden ${secrets}", "malformed"),
    ],
)
def test_a_bad_variable_is_refused_without_showing_its_value(name: str, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        check_variable(name, value)
    assert "sk-hidden" not in str(caught.value)
    assert "3133731337" not in str(caught.value)
