from __future__ import annotations

import tomli

from platform_cli.config.toml_lines import key_lines

TEXT = '''\
# [comment] a = 1
top = "x" # b = 2
[project]
"quoted key" = 'a = [' # ]
text = """
[not.a.table]
not_a_key = \\"""
"""
list = [
    "[x]", # ]
    { inner = 1,
      second = "}" },
]

  [ deployment . "lam\\u0062da" ]
dotted.key . x = 1
literal = \'\'\'
[no]\'\'\'
[[many]]
last = 1'''


def test_each_key_is_found_where_it_is_written() -> None:
    tomli.loads(TEXT)
    assert dict(key_lines(TEXT)) == {
        ("top",): 2,
        ("project",): 3,
        ("project", "quoted key"): 4,
        ("project", "text"): 5,
        ("project", "list"): 9,
        ("deployment",): 15,
        ("deployment", "lambda"): 15,
        ("deployment", "lambda", "dotted"): 16,
        ("deployment", "lambda", "dotted", "key"): 16,
        ("deployment", "lambda", "dotted", "key", "x"): 16,
        ("deployment", "lambda", "literal"): 17,
        ("many",): 19,
        ("many", "last"): 20,
    }


def test_windows_line_ends_count_once() -> None:
    assert key_lines("a = 1\r\n[t]\r\nb = 2\r\n")["t", "b"] == 3
