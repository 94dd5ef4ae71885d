"""Tests that a log is read piece by piece, each line once, also while it is written and rotated."""

from __future__ import annotations

from pathlib import Path

from platform_cli.supervisor.log_pages import end_of, read_page
from platform_cli.supervisor.log_tail import Position


def test_each_line_once(tmp_path: Path) -> None:
    at = end_of(tmp_path)
    assert read_page(tmp_path, at, 10).lines == []
    first, second = tmp_path / "00000001.jsonl", tmp_path / "00000002.jsonl"
    first.write_bytes(b"a\nb\nc\nhalf")
    page = read_page(tmp_path, at, 2)
    assert page.lines == [b"a\n", b"b\n"]
    page = read_page(tmp_path, page.end, 2)
    assert page.lines == [b"c\n"]
    with first.open("ab") as file:
        file.write(b" and half\n")
    second.write_bytes(b"d\n")
    seen = []
    while (page := read_page(tmp_path, page.end, 2)).lines:
        seen += page.lines
    assert seen == [b"half and half\n", b"d\n"]
    assert page.end == end_of(tmp_path) == Position(2, 2)


def test_a_log_that_was_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "00000001.jsonl").write_bytes(b"new\n")
    for before in (Position(1, 50), Position(4, 0)):
        assert read_page(tmp_path, before, 10).lines == [b"new\n"]


def test_what_was_removed_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "00000009.jsonl").write_bytes(b"e\n")
    (tmp_path / "other.jsonl").write_bytes(b"no log\n")
    assert read_page(tmp_path, Position(3, 1000), 10).lines == [b"e\n"]
