"""Tests how errors are shown to people."""

from __future__ import annotations

from platform_cli.api.error_group import ErrorGroup, ErrorGroupDetail, ErrorSample
from platform_cli.commands.errors import group_text, groups_text, state_text

GROUP: ErrorGroup = {
    "id": 7, "project": "shop", "kind": "exception", "type": "shop.errors.NoSuchRow", "message": "row 1\nand more",
    "method": "tools/call", "name": "find", "where": "server.py:12", "state": "open", "state_release": None,
    "state_at": 0.0, "count": 3, "first_seen": 0.0, "first_release": "v1", "last_seen": 0.0, "last_release": "v2",
}  # fmt: skip
SAMPLE: ErrorSample = {
    "time": 0.0, "release": "v2", "request": "0f1e", "message": "row 1\nand \x1b[2J more",
    "frames": [
        {"file": "server.py", "function": "find", "line": 12, "own": True, "source": ["def find():", "    look()"],
         "source_start": 11},
        {"file": "lib/look.py", "function": "look", "line": 3, "own": False, "source": [], "source_start": 0},
    ],
}  # fmt: skip
DETAIL: ErrorGroupDetail = {
    **GROUP,
    "releases": [
        {"release": "v2", "count": 1, "first_seen": 0.0, "last_seen": 0.0},
        {"release": "v1", "count": 2, "first_seen": 0.0, "last_seen": 0.0},
    ],
    "samples": [SAMPLE, {**SAMPLE, "request": None}],
}


def test_a_table_has_a_line_for_each_group() -> None:
    hostile: ErrorGroup = {**GROUP, "id": 8, "message": "x\x1b[2J" * 50, "name": None, "method": None, "where": None}
    lines = groups_text("shop", [GROUP, hostile], hidden=2).splitlines()
    assert lines[0].split() == ["id", "error", "in", "where", "count", "releases", "last", "seen", "state"]
    assert lines[1].split()[:7] == ["7", "NoSuchRow:", "row", "1", "find", "server.py:12", "3"]
    assert "\x1b" not in lines[2]
    assert len(lines[2]) < 250
    assert lines[3] == "2 resolved or muted: --all shows them"


def test_no_errors() -> None:
    assert groups_text("shop", [], hidden=0) == "shop has no open errors"
    assert groups_text("shop", [], hidden=1).splitlines()[1].startswith("1 resolved or muted")


def test_a_group_shows_its_newest_traceback() -> None:
    text = group_text(DETAIL)
    lines = text.splitlines()
    assert lines[0] == "shop.errors.NoSuchRow: row 1"
    assert "1 in v2, 2 in v1" in text
    at = lines.index("  server.py:12 in find")
    assert lines[at + 1 : at + 5] == [
        "       11  def find():",
        "  >    12      look()",
        "    lib/look.py:3 in look",
        "  and \\x1b[2J more",
    ]
    assert "request 0f1e" in text
    assert lines[-2] == "others"


def test_a_state_is_explained() -> None:
    assert state_text({**GROUP, "state": "resolved", "state_release": "v3"}).endswith("after v3")
    assert state_text({**GROUP, "state": "regressed", "state_release": "v4"}).endswith("came back in v4")
    assert state_text({**GROUP, "state": "muted"}).startswith("muted")
    assert state_text(GROUP) == "open"
