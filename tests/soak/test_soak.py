"""Runs a short part of `make soak`."""

from __future__ import annotations

import sys

import pytest

from .report import Counts
from .run import soaked, started


@pytest.mark.whole
@pytest.mark.skipif(sys.platform != "linux", reason="measures what /proc says")
def test_nothing_is_lost_and_nothing_is_left() -> None:
    with started() as (platform, folder):
        report = soaked(platform, folder, Counts(redeploys=20, kills=8, wakes=20, idle=200))
    assert report.is_met, report.text()
