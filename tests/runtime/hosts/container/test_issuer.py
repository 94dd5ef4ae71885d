"""Tests how an image's first process keeps the keys of the callers' authorization server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from jwt.algorithms import ECAlgorithm

from homeport_runtime.hosts.container import issuer
from homeport_runtime.hosts.container.issuer import IssuerWatch
from tests.signin.identity import LATER, Identity, jwk, running_identity

from ...conftest import DEADLINE_S, wait_for


@pytest.fixture
def identity() -> Iterator[Identity]:
    with running_identity() as running:
        yield running


def watch(identity: Identity, jwks: list[dict[str, Any]]) -> tuple[IssuerWatch, threading.Event]:
    found, changed = IssuerWatch(identity.place, {"tokens": [], "oauth": {"jwks": jwks}}), threading.Event()
    found.start(changed.set)
    return found, changed


def test_keys_that_the_image_lacks_are_told_once(identity: Identity) -> None:
    found, changed = watch(identity, [])
    assert changed.wait(DEADLINE_S)
    told = found.take_changed()
    assert told is not None
    assert [key["kid"] for key in told["oauth"]["jwks"]] == ["rsa", "ec", "ed"], "never a shared one"
    assert found.take_changed() is None


def test_a_key_that_is_wanted_is_fetched_and_no_sooner_than_allowed(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = threading.Event()
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _left: again.wait(DEADLINE_S))
    monkeypatch.setattr(issuer, "time", clock)
    found, changed = watch(identity, [])
    assert changed.wait(DEADLINE_S)
    found.take_changed()
    changed.clear()
    identity.keys.append(jwk(ECAlgorithm, LATER, "later"))
    for _ in range(5):
        found.want()
    assert identity.fetched == 1
    again.set()
    assert changed.wait(DEADLINE_S)
    told = found.take_changed()
    assert told is not None
    assert told["oauth"]["jwks"][-1]["kid"] == "later"


def test_a_sign_in_that_has_ended_is_told(identity: Identity) -> None:
    identity.ended = []
    keys = identity.keys[:3]
    found = IssuerWatch(identity.place, {"tokens": [], "oauth": {"jwks": keys, "is_platform": True}})
    changed = threading.Event()
    found.start(changed.set)
    wait_for(lambda: identity.fetched == 1)
    assert found.take_changed() is None, "there is nothing new"
    identity.ended = ["grant"]
    again = IssuerWatch(identity.place, {"tokens": [], "oauth": {"jwks": keys, "is_platform": True}})
    again.start(changed.set)
    assert changed.wait(DEADLINE_S)
    told = again.take_changed()
    assert told is not None
    assert told["oauth"]["ended"] == ["grant"]


def test_a_platform_is_asked_each_minute_and_another_issuer_each_hour(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer, "AGAIN_S", 0.0)
    monkeypatch.setattr(issuer, "ENDED_S", 0.01)
    watch(identity, identity.keys[:3])
    wait_for(lambda: identity.fetched == 1)
    IssuerWatch(identity.place, {"oauth": {"jwks": [], "is_platform": True}}).start(lambda: None)
    wait_for(lambda: identity.fetched > 5)


def test_an_issuer_that_is_down_leaves_the_keys_of_before(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(issuer, "AGAIN_S", 0.0)
    identity.is_broken = True
    found, changed = watch(identity, identity.keys[:1])
    wait_for(lambda: "cannot be had" in capfd.readouterr().out)
    assert not changed.is_set()
    identity.is_broken = False
    found.want()
    assert changed.wait(DEADLINE_S)
