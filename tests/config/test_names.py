from __future__ import annotations

import pytest

from platform_cli.config.names import check_name, is_name, slugify
from platform_cli.errors import InputError


@pytest.mark.parametrize("name", ["a", "0", "expense-tracker", "a" * 63, "a--b"])
def test_a_dns_label_is_a_name(name: str) -> None:
    assert check_name(name, "--name") == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a b", "a" * 64, "é", "a\n", "../x", "1²"])
def test_what_is_no_dns_label_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^--name: .* is not a project name"):
        check_name(name, "--name")


def test_a_bad_name_comes_with_a_better_one() -> None:
    with pytest.raises(InputError) as caught:
        check_name("My Server!", "--name")
    assert caught.value.hint == 'Try "my-server".'


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Expense Tracker", "expense-tracker"),
        ("  Café_Größe 2 ", "cafe-groe-2"),
        ("a" * 62 + "-bc", "a" * 62),
        ("--", None),
        ("日本", None),
        ("", None),
    ],
)
def test_slugify(text: str, slug: str | None) -> None:
    assert slugify(text) == slug
    assert slug is None or is_name(slug)
