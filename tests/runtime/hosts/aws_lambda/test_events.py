"""Tests headers as they come in Lambda's events, and as they go back."""

from __future__ import annotations

from homeport_runtime.hosts.aws_lambda.events import answer_fields, read_request
from tests.aws.function_url import make_event


def test_a_header_is_its_value_without_blanks() -> None:
    sent = {"Accept": " \tapplication/json, text/event-stream \t", "X-Note": "two  words\xa0", "X-Empty": "  "}
    scope, _ = read_request(make_event("GET", "/", sent, b""))
    headers = dict(scope["headers"])
    assert headers[b"accept"] == b"application/json, text/event-stream"
    assert (headers[b"x-note"], headers[b"x-empty"]) == (b"two  words\xa0", b"")


def test_what_no_header_can_hold_does_not_end_the_request() -> None:
    scope, _ = read_request({**make_event("GET", "/", {"x-name": "日"}, b""), "cookies": ["a=1", "b=日"]})
    headers = dict(scope["headers"])
    assert (headers[b"x-name"], headers[b"cookie"]) == (b"?", b"a=1; b=?")


def test_without_cookies_there_is_no_such_header() -> None:
    scope, _ = read_request(make_event("GET", "/", {}, b""))
    assert b"cookie" not in dict(scope["headers"])


def test_headers_that_come_several_times_are_one_but_cookies_are_not() -> None:
    sent = [(b"Vary", b"Origin"), (b"Set-Cookie", b"a=1"), (b"vary", b"Accept"), (b"set-cookie", b"b=2, c")]
    fields = answer_fields(200, sent)
    assert fields == {"statusCode": 200, "headers": {"vary": "Origin, Accept"}, "cookies": ["a=1", "b=2, c"]}


def test_headers_of_the_connection_stay_behind() -> None:
    sent = [(b"Content-Length", b"9"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"x-a", b"1")]
    assert answer_fields(200, sent)["headers"] == {"x-a": "1"}
