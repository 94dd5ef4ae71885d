"""Computes the shapes of charts, which the templates draw as SVG.

A chart is as wide as its place: across everything is in percent of it, and down in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

# The part of each step that its bar takes.
BAR = 0.72
# How far from each other two labels are at least, in percent of the width.
MIN_DISTANCE = 8.0


@dataclass(frozen=True, slots=True)
class Bar:
    """Is a step's bar from `x` on, `width` wide: `good` and above it `bad` pixels high, which stand for numbers."""

    x: float
    width: float
    good: float
    bad: float
    total: int
    failed: int


@dataclass(frozen=True, slots=True)
class Bars:
    """Is a bar chart, `height` pixels high, whose highest bar stands for `most`."""

    height: int
    most: int
    bars: tuple[Bar, ...]


def bars(series: Sequence[int], failures: Sequence[int], height: int) -> Bars:
    most, width = max(series, default=0), 100 / max(len(series), 1)
    drawn = []
    for number, (total, failed) in enumerate(zip(series, failures, strict=True)):
        if total:
            # What failed is seen however little it is beside the rest.
            bad = max(height * failed / most, 2.0) if failed else 0.0
            good = max(height * total / most, 2.0, bad) - bad
            x = width * (number + (1 - BAR) / 2)
            drawn.append(Bar(round(x, 2), round(width * BAR, 2), round(good, 1), round(bad, 1), total, failed))
    return Bars(height, most, tuple(drawn))


@dataclass(frozen=True, slots=True)
class Line:
    """Is a line of a chart called `name`; `path` is for SVG, and 100 wide."""

    name: str
    path: str


def line(name: str, values: Sequence[float | None], most: float, height: int) -> Line:
    """Returns the line through the middle of each step; it has gaps where there is no value.

    A value between two gaps is a line as wide as the bar of its step, since a dot is hardly seen.
    """
    step, path = 100 / max(len(values), 1), ""
    for has_value, run in groupby(enumerate(values), lambda at: at[1] is not None):
        if has_value:
            points = [
                (step * (number + 0.5), height - height * min((value or 0.0) / most, 1.0)) for number, value in run
            ]
            if len(points) == 1:
                (x, y), half = points[0], step * BAR / 2
                points = [(x - half, y), (x + half, y)]
            path += "M" + "L".join(f"{x:.2f} {y:.1f}" for x, y in points)
    return Line(name, path)


@dataclass(frozen=True, slots=True)
class Mark:
    """Is a line across a chart at `x`, with a label on its left side near the right end; an empty one for no room."""

    x: float
    label: str
    is_left: bool


def marks(times: Mapping[str, float], since: float, until: float) -> list[Mark]:
    """Returns marks for what happened in a time, by its label; where they are close, the newest has its label."""
    found: list[Mark] = []
    last = math.inf
    for label, time in sorted(times.items(), key=lambda item: -item[1]):
        if since <= time <= until:
            x = round(100 * (time - since) / (until - since), 2)
            shown = label if last - x >= MIN_DISTANCE else ""
            found.append(Mark(x, shown, x > 100 - MIN_DISTANCE))
            last = x if shown else last
    return found
