"""Tests events as AWS sends them with what strangers put into their requests, and messages between instances."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import cast
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from homeport_runtime.aws.dynamodb import Item, Table, Value
from homeport_runtime.hosts.aws_lambda.events import NotARequest, answer_fields, check_request, read_request
from homeport_runtime.relay import mailbox
from homeport_runtime.relay.base import Posted
from homeport_runtime.relay.mailbox import Mailbox

from .values import JSON_VALUES, objects

TOKENS = st.text("abcdefgh-", min_size=1, max_size=10)
HTTP = objects(method=st.sampled_from(["GET", "POST"]), protocol=st.just("HTTP/1.1"), sourceIp=st.just("192.0.2.1"))
EVENTS = objects(
    requestContext=objects(http=HTTP, domainName=st.text()),
    rawPath=st.text(),
    headers=st.dictionaries(TOKENS, st.text()),
)


@given(EVENTS | JSON_VALUES)
def test_an_event_is_a_request_or_none(event: object) -> None:
    with contextlib.suppress(NotARequest):
        check_request(event)
        assert isinstance(event, dict)


@given(
    path=st.text(),
    query=st.text(),
    headers=st.dictionaries(TOKENS, st.text()),
    cookies=st.lists(st.text(), max_size=2),
    body=st.binary(),
)
def test_what_a_stranger_asks_is_read(
    path: str, query: str, headers: dict[str, str], cookies: list[str], body: bytes
) -> None:
    http = {"method": "POST", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"}
    event = {
        "requestContext": {"http": http, "domainName": "x.example"},
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "cookies": cookies,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    check_request(event)
    scope, read = read_request(event)
    assert read == body
    assert all(isinstance(part, bytes) for pair in scope["headers"] for part in pair)


@given(st.integers(100, 599), st.lists(st.tuples(st.binary(), st.binary()), max_size=5))
def test_what_an_app_answers_is_put_into_words_of_lambda(status: int, headers: list[tuple[bytes, bytes]]) -> None:
    fields = answer_fields(status, headers)
    assert all(isinstance(value, str) for value in [*fields["headers"].values(), *fields["cookies"]])


class Shelf:
    """Is a table in memory, for the conditions that the mailbox has."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Value]] = {}

    def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> bool:
        key = str(item["pk"]), str(item["sk"])
        if condition is not None and key in self.items:
            return False
        self.items[key] = dict(item)
        return True

    def update(self, key: Item, update: str, _values: Item, _condition: str | None = None) -> dict[str, Value]:
        item = self.items[str(key["pk"]), str(key["sk"])]
        if update.startswith("ADD"):
            item["written"] = int(item["written"]) + 1
        return item

    def query(self, condition: str, values: Item) -> Iterator[dict[str, Value]]:
        first, last = str(values.get(":first", "")), str(values.get(":last", "~"))
        for (session, name), item in sorted(self.items.items()):
            if session == values[":pk"] and (":first" not in condition or first <= name <= last):
                yield item

    def delete(self, keys: Sequence[Item]) -> None:
        for key in keys:
            self.items.pop((str(key["pk"]), str(key["sk"])), None)


HEADERS = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=3)
POSTED = st.builds(Posted, st.binary(max_size=20), HEADERS, st.binary(max_size=100))


@given(st.lists(POSTED, max_size=5), st.text(min_size=1, max_size=20))
def test_what_was_posted_comes_whole_and_in_order(posted: list[Posted], session: str) -> None:
    shelf = Shelf()
    box = Mailbox(cast("Table", shelf))
    with mock.patch.object(mailbox, "MAX_PIECE", 10):
        box.open(session)
        for message in posted:
            assert box.post(session, message)
        taken, is_missing = box.read(session, 1)
        assert not is_missing
        assert [one.posted for one in taken] == posted
        box.remove(session, taken)
        box.close(session)
    assert not [name for _, name in shelf.items if re.match("[mp]", name)]
