"""Runs a short part of the soak of containers."""

from __future__ import annotations

import pytest

from .containers import soaked, started


@pytest.mark.whole
def test_nothing_is_lost_but_what_was_in_a_killed_container() -> None:
    with started() as site:
        report = soaked(site, redeploy_count=2, kill_count=4)
    assert not report.failed, report.text()
    assert len(report.kills) == 4
