"""Tests how a browser gets its key, and how long it lasts."""

from __future__ import annotations

import sqlite3
import time

import pytest

from platform_cli.console.sessions import CODE_S, KEY_S, LONGEST_S, Sessions


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_a_code_opens_once(sessions: Sessions) -> None:
    code = sessions.make_code()
    key = sessions.open(code)
    assert key is not None
    assert sessions.accept(key)
    assert sessions.open(code) is None
    # Neither serves in the place of the other.
    assert not sessions.accept(sessions.make_code())
    assert sessions.open(key) is None


@pytest.mark.parametrize("guess", ["", "x", "A" * 43, "' OR 1=1", "\udcff"])
def test_a_guess_opens_nothing(sessions: Sessions, guess: str) -> None:
    sessions.open(sessions.make_code())
    assert sessions.open(guess) is None
    assert not sessions.accept(guess)


def test_a_code_ends_by_itself(sessions: Sessions, clock: list[float]) -> None:
    code = sessions.make_code()
    clock[0] += CODE_S + 1
    assert sessions.open(code) is None


def test_a_key_lasts_longer_with_use_but_not_for_ever(sessions: Sessions, clock: list[float]) -> None:
    key = sessions.open(sessions.make_code())
    assert key is not None
    end = clock[0] + LONGEST_S
    while clock[0] < end - KEY_S:
        clock[0] += KEY_S - 1
        # To look whether it is valid is no use of it.
        assert sessions.is_valid(key)
        assert sessions.accept(key)
    clock[0] = end + 1
    assert not sessions.accept(key)
    assert sessions.listed() == []


def test_a_key_that_nobody_uses_ends(sessions: Sessions, clock: list[float]) -> None:
    key = sessions.open(sessions.make_code())
    assert key is not None
    clock[0] += KEY_S + 1
    assert not sessions.accept(key)


def test_a_key_is_listed_and_revoked_by_name(sessions: Sessions) -> None:
    keys = [sessions.open(sessions.make_code()) for _ in range(2)]
    names = [each["name"] for each in sessions.listed()]
    assert len(set(names)) == 2
    assert all(each["kind"] == "console" for each in sessions.listed())
    assert sessions.revoke(names[0])
    assert not sessions.revoke(names[0])
    assert [sessions.accept(key or "") for key in keys].count(True) == 1


def test_only_hashes_are_kept() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    sessions = Sessions(db)
    secrets = [sessions.make_code(), sessions.open(sessions.make_code()) or "none"]
    kept = "\n".join(db.iterdump())
    assert not any(secret in kept for secret in secrets)
    db.close()
