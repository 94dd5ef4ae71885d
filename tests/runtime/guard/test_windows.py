"""Tests that sliding windows are exact, in one process and in several that map the same file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from homeport_runtime.guard import windows
from homeport_runtime.guard.windows import Bucket, Rate, SharedWindows

TEN, TWO = Rate(10, 60.0), Rate(2, 3600.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def take(counted: SharedWindows, *buckets: Bucket) -> tuple[int, float]:
    return counted.take(buckets)


def test_the_eleventh_waits_until_the_first_is_a_minute_old(clock: Callable[[float], None]) -> None:
    counted = SharedWindows([TEN])
    for _ in range(10):
        assert take(counted, Bucket(0, "a")) == (0, 0.0)
        clock(1)
    assert take(counted, Bucket(0, "a")) == (0, 50.0)
    assert take(counted, Bucket(0, "b")) == (0, 0.0), "another client has a window of its own"
    clock(49)
    assert take(counted, Bucket(0, "a")) == (0, 1.0), "what was refused takes nothing"
    clock(1)
    assert take(counted, Bucket(0, "a")) == (0, 0.0)
    assert take(counted, Bucket(0, "a")) == (0, 1.0)


def test_a_call_takes_from_all_of_its_windows_or_from_none(clock: Callable[[float], None]) -> None:
    counted = SharedWindows([TEN, TWO])
    both = Bucket(0, "a"), Bucket(1, "a")
    assert [take(counted, *both)[1] for _ in range(3)] == [0.0, 0.0, 3600.0]
    assert take(counted, *both)[0] == 1, "the rate that is full"
    assert [take(counted, both[0])[1] for _ in range(9)] == [0.0] * 8 + [60.0]
    clock(0)


def test_more_clients_than_there_is_room_for_forget_the_one_that_called_longest_ago(
    clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MOST_CLIENTS", windows.FEWEST_CLIENTS)
    counted = SharedWindows([Rate(1, 60.0)])
    for number in range(windows.FEWEST_CLIENTS):
        assert take(counted, Bucket(0, str(number)))[1] == 0.0
        clock(1)
    assert take(counted, Bucket(0, "new"))[1] == 0.0
    assert take(counted, Bucket(0, "1"))[1] > 0
    assert take(counted, Bucket(0, "0"))[1] == 0.0


def test_a_place_that_another_process_has_given_away_is_not_counted_in(
    tmp_path: Path, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MOST_CLIENTS", windows.FEWEST_CLIENTS)
    here, there = (SharedWindows([Rate(2, 60.0)], tmp_path / "windows") for _ in range(2))
    first = Bucket(0, "first")
    for _ in range(2):
        assert take(here, first)[1] == 0.0
    assert take(here, first)[1] > 0, "where its window is, is known"
    others = [Bucket(0, str(number)) for number in range(windows.FEWEST_CLIENTS)]
    for other in others:
        clock(1)
        assert take(there, other)[1] == 0.0
    assert take(here, first)[1] == 0.0, "it begins anew"
    assert [take(there, other)[1] > 0 for other in others[1:] for _ in range(2)] == [False, True] * (len(others) - 1)


def test_processes_share_a_window_and_never_allow_more(tmp_path: Path) -> None:
    """Enough of them at once that without the lock some calls are counted twice."""
    file, allowed, tries = tmp_path / "windows", 80_000, 60_000
    waiting, start = os.pipe()
    told, telling = os.pipe()
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            counted = SharedWindows([Rate(allowed, 3600.0)], file)
            os.close(start)
            os.read(waiting, 1)
            passed = sum(take(counted, Bucket(0, "a"))[1] == 0.0 for _ in range(tries))
            os.write(telling, b"%d\n" % passed)
            os._exit(0)
        children.append(pid)
    os.close(start)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0, 0]
    counts = [int(each) for each in os.read(told, 100).split()]
    for each in (waiting, told, telling):
        os.close(each)
    assert (len(counts), sum(counts)) == (3, allowed)
    assert take(SharedWindows([Rate(allowed, 3600.0)], file), Bucket(0, "a"))[1] > 0, "the file remembers"


def test_times_of_before_the_machine_was_started_anew_refuse_nobody(
    tmp_path: Path, clock: Callable[[float], None]
) -> None:
    file = tmp_path / "windows"
    assert take(SharedWindows([Rate(1, 60.0)], file), Bucket(0, "a"))[1] == 0.0
    clock(-900)
    assert take(SharedWindows([Rate(1, 60.0)], file), Bucket(0, "a"))[1] == 0.0
