"""Implements `homeport metrics`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast, get_args

import click

from ..api.metrics import By
from .options import json_option, running_target, target_option, time_span
from .output import Output, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..api.metrics import Metrics, MetricsRow

# The characters of a sparkline, from the smallest value to the largest; nothing is a dot.
BARS, NOTHING = "▁▂▃▄▅▆▇█", "·"


@click.command("metrics")
@click.argument("name")
@click.option("--since", metavar="24h", default="24h", show_default=True, help="The last 10m, 2h, 1d; up to 400d.")
@click.option(
    "--by", type=click.Choice(get_args(By)), default="tool", show_default=True,
    help="A line for each tool and method, client, or release.",
)  # fmt: skip
@target_option
@json_option
def metrics_command(name: str, since: str, by: str, as_json: bool) -> None:
    """Show how many operations project NAME has answered, how long they took, and how those that failed did so.

    Times are in milliseconds, within which 50, 95 and 99 % were answered.
    """
    start = time.time() - time_span(since, "--since")
    found = running_target().metrics(name, start, cast("By", by))
    Output(as_json=as_json).result({"ok": True, **found}, metrics_text(found, since))


def metrics_text(found: Metrics, since: str) -> str:
    total = found["total"]
    if not total["operations"]:
        return f"{found['project']} has answered nothing in the last {since}"
    header = (found["by"], "operations", "failed", "p50", "p95", "p99", "cold", f"last {since}", "failures")
    rows = [_cells(row, row["key"] or "-") for row in found["rows"]]
    return table(header, [*rows, _cells(total, "all")] if len(rows) > 1 else rows)


def _cells(row: MetricsRow, key: str) -> list[str]:
    kinds = " ".join(f"{kind} {count}" for kind, count in row["kinds"].items() if kind != "ok")
    share = f"{row['failed']} ({row['failed'] / row['operations']:.1%})" if row["failed"] else "0"
    times = [_time(row["p50"]), _time(row["p95"]), _time(row["p99"])]
    return [key, str(row["operations"]), share, *times, str(row["cold"]), sparkline(row["series"]), kinds or "-"]


def _time(ms: float | None) -> str:
    return "-" if ms is None else f"{ms:.1f}" if ms < 1000 else f"{ms:.0f}"


def sparkline(values: Sequence[int]) -> str:
    """Returns a bar for each value, as high as it is beside the largest."""
    most = max(values, default=0)
    return "".join(BARS[(value * len(BARS) - 1) // most] if value else NOTHING for value in values)
