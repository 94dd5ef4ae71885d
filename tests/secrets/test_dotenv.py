from __future__ import annotations

import pytest

from platform_cli.errors import InputError
from platform_cli.secrets.dotenv import parse_dotenv

FILE = """\ufeff# a comment
PLAIN=value
  SPACED = some words  \t
export EXPORTED=yes
EMPTY=
HASH=a#b # a comment
ONLY_COMMENT= # nothing
DOUBLE="a \\"b\\" \\$c \\n d \\x # no comment" # a comment
SINGLE='a "b" \\n $c'
URL=postgres://u:p@h/db?a=1&b=2

KEY="-----BEGIN-----
line = 1
-----END-----"
JSON='{
  "a": "b"
}'
PLAIN=last\r
LAST=end"""


def test_every_form() -> None:
    assert parse_dotenv(FILE, ".env") == {
        "PLAIN": "last",
        "SPACED": "some words",
        "EXPORTED": "yes",
        "EMPTY": "",
        "HASH": "a#b",
        "ONLY_COMMENT": "",
        "DOUBLE": 'a "b" $c \n d \\x # no comment',
        "SINGLE": 'a "b" \\n $c',
        "URL": "postgres://u:p@h/db?a=1&b=2",
        "KEY": "-----BEGIN-----\nline = 1\n-----END-----",
        "JSON": '{\n  "a": "b"\n}',
        "LAST": "end",
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n#comments", "   "])
def test_nothing(text: str) -> None:
    assert parse_dotenv(text, ".env") == {}


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("A=1\nsk-hidden\n", 2, "is not KEY=VALUE"),
        ("=sk-hidden", 1, "is not KEY=VALUE"),
        ("A B=sk-hidden", 1, "is not KEY=VALUE"),
        ('A="1\n2"\n\nB="sk-hidden\n', 4, "begins a quote that never ends"),
        ("A='sk-hidden", 1, "begins a quote that never ends"),
        ("A='1' sk-hidden", 1, "goes on behind the closing quote"),
        ('A="1"sk-hidden', 1, "goes on behind the closing quote"),
    ],
)
def test_errors_name_the_line_and_hide_it(text: str, line: int, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_dotenv(text, "x/.env")
    assert caught.value.message == f"x/.env, line {line} {what}"
    assert "sk-hidden" not in f"{caught.value.hint}"
