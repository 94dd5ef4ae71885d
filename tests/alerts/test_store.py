"""Tests that a group is told once an hour at most, and that nothing is lost meanwhile."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.alerts.model import KINDS, Alert, Event, Limits
from platform_cli.alerts.store import EVERY_S, FORGET_S, MAX_FAILURE, MAX_GROUPS, AlertStore
from platform_cli.errors import NotFoundError
from platform_cli.home import Home
from platform_cli.secrets.sqlite import SQLiteSecretStore

ALERT = Alert("0a1b2c3d", "webhook", "https://example.com/…", None, KINDS, False, Limits())
ERROR = Event("error", "shop", "KeyError in add", group="e1", release="v3")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> AlertStore:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("PRAGMA foreign_keys = ON")
    made = AlertStore(db, SQLiteSecretStore(Home(tmp_path)), clock)
    made.add(ALERT, "https://example.com/hook", "key")
    return made


def counts(store: AlertStore) -> list[int]:
    return [waiting.count for waiting in store.due(ALERT)]


def sent(store: AlertStore) -> None:
    """Has what is due told, as a courier does."""
    for waiting in store.due(ALERT):
        store.silence(ALERT, waiting)
        store.told(ALERT, waiting)


def test_first_at_once_and_the_others_together_after_an_hour(store: AlertStore, clock: Clock) -> None:
    assert store.tell(ALERT, ERROR)
    (first,) = store.due(ALERT)
    assert (first.event, first.count) == (ERROR, 1)
    sent(store)
    for _ in range(5):
        assert not store.tell(ALERT, replace(ERROR, release="v4"))
    assert counts(store) == []
    clock.now += EVERY_S
    (digest,) = store.due(ALERT)
    assert (digest.count, digest.event.release) == (5, "v4")


def test_another_group_does_not_wait(store: AlertStore) -> None:
    store.tell(ALERT, ERROR)
    sent(store)
    for other in (replace(ERROR, group="e2"), replace(ERROR, project="other"), replace(ERROR, kind="regression")):
        assert store.tell(ALERT, other)
    assert counts(store) == [1, 1, 1]


def test_what_comes_while_a_message_is_sent_is_told_later(store: AlertStore, clock: Clock) -> None:
    store.tell(ALERT, ERROR)
    (first,) = store.due(ALERT)
    store.silence(ALERT, first)
    store.tell(ALERT, ERROR)
    store.told(ALERT, first)
    clock.now += EVERY_S
    assert counts(store) == [1]


def test_a_condition_that_lasts_counts_once(store: AlertStore, clock: Clock) -> None:
    lasting = replace(ERROR, lasts=True)
    for _ in range(3):
        store.tell(ALERT, lasting)
    assert counts(store) == [1]
    sent(store)
    store.tell(ALERT, lasting)
    clock.now += EVERY_S
    assert counts(store) == [], "it may be over by now"
    store.tell(ALERT, lasting)
    assert counts(store) == [1]


def test_what_was_not_taken_waits_and_is_forgotten_at_last(store: AlertStore, clock: Clock) -> None:
    store.tell(ALERT, ERROR)
    store.silence(ALERT, store.due(ALERT)[0])
    store.noted(ALERT, "x" * 5000)
    assert counts(store) == []
    (listed,) = store.listed()
    assert (listed["failed_at"], len(listed["failure"] or "")) == (clock.now, MAX_FAILURE)
    clock.now += EVERY_S
    assert counts(store) == [1]
    clock.now += FORGET_S
    store.clean()
    assert counts(store) == []


def test_groups_are_bounded(store: AlertStore) -> None:
    for number in range(MAX_GROUPS + 5):
        store.tell(ALERT, replace(ERROR, group=f"e{number}"))
    assert len(counts(store)) == MAX_GROUPS + 1
    assert max(counts(store)) == 5, "the others are told together"


def test_removed_with_all_that_was_known(store: AlertStore) -> None:
    own = replace(ALERT, id="ffffffff", project="shop")
    store.add(own, "https://example.com/own", None)
    store.tell(own, ERROR)
    assert store.secrets(own) == ("https://example.com/own", None)
    store.forget("shop")
    assert [alert.id for alert in store.all()] == [ALERT.id]
    assert store.due(own) == []
    with pytest.raises(NotFoundError):
        store.remove(own.id)
    with pytest.raises(KeyError):
        store.secrets(own)
