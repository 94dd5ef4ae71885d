"""Tests how metrics are shown to people."""

from __future__ import annotations

from platform_cli.api.metrics import Metrics, MetricsRow
from platform_cli.commands.metrics import metrics_text, sparkline


def row(key: str | None, kinds: dict[str, int], p50: float | None = 1.23) -> MetricsRow:
    total = sum(kinds.values())
    return {
        "key": key, "operations": total, "failed": total - kinds.get("ok", 0), "kinds": kinds, "p50": p50, "p95": 99.96,
        "p99": 1234.5, "cold": 1, "bytes_in": 1, "bytes_out": 1, "series": [0, 1, total], "failures": [0, 0, 0],
    }  # fmt: skip


def metrics(rows: list[MetricsRow]) -> Metrics:
    kinds: dict[str, int] = {}
    for each in rows:
        for kind, count in each["kinds"].items():
            kinds[kind] = kinds.get(kind, 0) + count
    return {
        "project": "shop", "since": 0.0, "until": 72.0, "step_s": 24.0, "by": "tool", "total": row(None, kinds),
        "rows": rows, "steps": [],
    }  # fmt: skip


def test_a_table_has_a_line_for_each_and_one_for_all() -> None:
    text = metrics_text(metrics([row("add", {"ok": 6, "tool": 2}), row("evil\x1b[2J", {"ok": 1}, None)]), "24h")
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == ["tool", "operations", "failed", "p50", "p95", "p99", "cold", "last", "24h", "failures"]
    assert lines[1] == ["add", "8", "2", "(25.0%)", "1.2", "100.0", "1234", "1", "·▁█", "tool", "2"]
    assert lines[2][:4] == ["evil\\x1b[2J", "1", "0", "-"]
    assert lines[3][:2] == ["all", "9"]


def test_a_project_that_answered_nothing_says_so() -> None:
    assert metrics_text(metrics([]), "2h") == "shop has answered nothing in the last 2h"


def test_a_sparkline() -> None:
    assert sparkline([0, 1, 4, 8]) == "·▁▄█"
    assert sparkline([1, 1_000_000]) == "▁█"
    assert sparkline([]) == ""
