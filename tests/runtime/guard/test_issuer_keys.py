"""Tests how a process without a platform comes by the keys of an issuer."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator

import pytest

from homeport_runtime.guard import issuer_keys
from homeport_runtime.guard.issuer_keys import IssuerKeys, verifying
from tests.http_servers import serving

KEY = {"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}


class Place:
    """Is an HTTP server that answers with `status`, `headers` and `body`, and counts."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, dict[str, str](), json.dumps({"keys": [KEY]}).encode()
        self.asked: list[str] = []
        place = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place.asked.append(self.path)
                self.send_response(place.status)
                for name, value in {**place.headers, "content-length": str(len(place.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(place.body)

        self.handler = Handler
        self.url = ""


@pytest.fixture
def place() -> Iterator[Place]:
    running = Place()
    with serving(running.handler) as url:
        running.url = f"{url}/keys?v=1"
        yield running


def test_they_are_fetched_once_a_minute(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = IssuerKeys(place.url)
    assert [keys.renewed(), keys.renewed()] == [[KEY], [KEY]]
    assert place.asked == ["/keys?v=1"]
    monkeypatch.setattr(issuer_keys, "AGAIN_S", 0.0)
    place.status = 500
    assert keys.renewed() == [KEY], "those of before stay"
    assert len(place.asked) == 2


@pytest.mark.parametrize(
    ("status", "body"), [(302, b""), (500, b""), (200, b"<html>"), (200, b"[]"), (200, b" " * 600_000), (200, b"{}")]
)
def test_what_is_no_key_set_changes_nothing(place: Place, status: int, body: bytes) -> None:
    place.status, place.body, place.headers = status, body, {"location": "/elsewhere"}
    assert IssuerKeys(place.url).renewed() is None
    assert place.asked == ["/keys?v=1"], "no redirect is followed"


def test_nobody_answers_or_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert IssuerKeys("http://127.0.0.1:1/keys").renewed() is None
    monkeypatch.setattr(issuer_keys, "WAIT_S", 0.05)
    release = threading.Event()
    monkeypatch.setattr(issuer_keys, "ask", lambda _url: release.wait(60) and json.dumps({"keys": [KEY]}).encode())
    keys = IssuerKeys("https://slow.example/keys")
    assert keys.renewed() is None
    release.set()


def test_ended_sign_ins_are_those_of_the_last_minute(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.body = json.dumps({"keys": [KEY], "ended": ["a"]}).encode()
    keys, now = IssuerKeys(place.url), time.time()
    assert keys.ended(now) == frozenset(), "a token that was just issued is believed unasked"
    assert place.asked == []
    assert keys.ended(now - 61) == frozenset("a")
    assert keys.ended(0) == frozenset("a")
    assert len(place.asked) == 1
    place.body = json.dumps({"keys": [KEY], "ended": ["a", "b"]}).encode()
    monkeypatch.setattr(issuer_keys, "AGAIN_S", 0.0)
    assert keys.ended(now - 61) == frozenset("a"), "as it was heard within this minute"
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert keys.ended(now - 61) == frozenset("ab")
    place.status = 500
    monkeypatch.setattr(time, "time", lambda: now + 130)
    assert keys.ended(now) == frozenset("ab"), "those of before stay"
    # A clock that was set back tells nothing.
    place.status, place.body = 200, json.dumps({"keys": [KEY], "ended": []}).encode()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert keys.ended(0) == frozenset()


def test_nobody_waits_long_for_ended_sign_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    said = json.dumps({"keys": [KEY], "ended": ["a"]}).encode()
    monkeypatch.setattr(issuer_keys, "ask", lambda _url: said if release.wait(60) else b"")
    keys = IssuerKeys("https://slow.example/keys")
    assert keys.ended(0, wait_s=0.0) == frozenset()
    assert keys.ended(0, wait_s=0.05) == frozenset(), "both wait for the same answer"
    release.set()
    assert keys.ended(0, wait_s=60.0) == frozenset("a")


def test_only_public_keys_for_signatures() -> None:
    others = [{"kty": "oct", "k": "c2VjcmV0"}, {**KEY, "use": "enc"}, "text", {"kid": "b"}]
    assert verifying({"keys": [*others, KEY]}) == [KEY]
