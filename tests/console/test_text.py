"""Tests how numbers, times and strangers' texts are shown."""

from __future__ import annotations

import pytest

from platform_cli.console import text
from platform_cli.console.charts import bars, line, marks


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1200, "1.2k"),
        (34_000, "34k"),
        (123_456, "123k"),
        (999_992, "1M"),
        (5_600_000, "5.6M"),
    ],
)
def test_a_count(number: float, shown: str) -> None:
    assert text.count(number) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(None, text.NOTHING), (0.04, "0.0 ms"), (1.26, "1.3 ms"), (42.4, "42 ms"), (1500, "1.5 s"), (120_000, "120 s")],
)
def test_milliseconds(ms: float | None, shown: str) -> None:
    assert text.milliseconds(ms) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, text.NOTHING), (0, 5, "0 %"), (1, 1_000_000, "< 0.1 %"), (1, 40, "2.5 %"), (1, 3, "33 %"), (3, 3, "100 %")],
)
def test_a_part_of_a_whole(part: float, whole: float, shown: str) -> None:
    assert text.percent(part, whole) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (3, "just now"),
        (59, "59 s ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (90000, "1 d ago"),
        (-43_190, "in 12 h"),
    ],
)
def test_how_long_ago(seconds: float, shown: str) -> None:
    assert text.ago(1_000_000.0 - seconds, 1_000_000.0) == shown


def test_what_cannot_be_seen_is_shown_and_what_is_long_is_cut() -> None:
    assert text.visible("a\x1b[2J\u202eb\U000e0041\ud800\n\tc") == "a\\u001b[2J\\u202eb\\ue0041\\ud800\n\tc"
    assert text.visible("日本語 👩‍🚀 é") == "日本語 👩\\u200d🚀 é"
    assert text.visible("x" * 2001) == "x" * 2000 + " … and 1 characters more"
    assert len(text.visible(text.Whole("x" * 5000))) == 5000


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//x", "ftp://x", "http://", "http://[", ""]
)
def test_a_url_that_nobody_may_follow(url: str) -> None:
    assert text.web_link(url) is None
    assert text.web_link("https://github.com/you/server/commit/1") is not None


def test_what_failed_is_seen_however_little_it_is() -> None:
    drawn = bars([0, 1_000_000, 1], [0, 1, 1], 100)
    assert (drawn.most, len(drawn.bars)) == (1_000_000, 2)
    assert [bar.bad for bar in drawn.bars] == [2.0, 2.0]
    assert [bar.good for bar in drawn.bars] == [98.0, 0.0]
    assert bars([], [], 100).bars == ()


def test_a_line_has_gaps_where_nothing_is_known() -> None:
    assert line("p50", [1.0, 2.0, None, 4.0], 4.0, 100).path == "M12.50 75.0L37.50 50.0M78.50 0.0L96.50 0.0"
    assert line("p50", [None], 1.0, 100).path == ""


def test_releases_that_are_close_have_one_label() -> None:
    found = marks({"v1": 10.0, "v2": 50.0, "v3": 52.0, "v4": 999.0}, 0.0, 100.0)
    assert [(mark.x, mark.label) for mark in found] == [(52.0, "v3"), (50.0, ""), (10.0, "v1")]
