"""Tests that bodies up to the limit are parsed once and given back unchanged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest

from homeport_runtime.asgi import Receive
from homeport_runtime.protocol.messages import (
    MAX_BODY,
    BodyTooLarge,
    ClientGoneError,
    declared_length,
    decoded,
    parse,
    read_body,
    replay,
)


def receiving(parts: Iterable[bytes], *, ends: bool = True) -> Receive:
    chunks = list(parts)
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if ends:
        messages[-1]["more_body"] = False
    messages.append({"type": "http.disconnect"})
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(waiting)

    return receive


def test_a_body_may_have_the_limit_and_not_a_byte_more() -> None:
    half = b"x" * (MAX_BODY // 2)
    assert len(asyncio.run(read_body(receiving([half, half])))) == MAX_BODY
    assert len(asyncio.run(read_body(receiving([half + half])))) == MAX_BODY
    for parts in ([half, half, b"x"], [half + half + b"x"], [half, half, b"x"] + [half] * 1000):
        with pytest.raises(BodyTooLarge):
            asyncio.run(read_body(receiving(parts)))


@pytest.mark.parametrize("parts", [[], [b"{"]])
def test_a_client_that_goes_away_is_no_message(parts: list[bytes]) -> None:
    with pytest.raises(ClientGoneError):
        asyncio.run(read_body(receiving(parts, ends=False)))


@pytest.mark.parametrize(
    ("value", "length"), [(b"12", 12), (b"-1", 0), (b"x", 0), (b"", 0), (str(MAX_BODY + 1).encode(), MAX_BODY + 1)]
)
def test_the_length_that_a_request_declares(value: bytes, length: int) -> None:
    assert declared_length({b"content-length": value}) == length
    assert declared_length({}) == 0


@pytest.mark.parametrize(
    "body",
    [
        '{"a": "é", "b": [1, 2.5, NaN]}'.encode(),
        b' {"a": 1}\n',
        '\ufeff{"a": 1}'.encode(),
        '{"a": 1}'.encode("utf-16-le"),
        b'"a\x00"',
        b"1\x00",
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": 1, "a": 2}',
        b'{"a": 1}{"b": 2}',
        b'{"a": "\xff"}',
        b"[" * 50_000,
        b"",
    ],
)
def test_a_body_is_decoded_as_json_decodes_it(body: bytes) -> None:
    try:
        expected = json.loads(body)
    except (ValueError, RecursionError):
        expected = None
    assert repr(decoded(body)) == repr(expected)


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"nothing", b"\xff\xfe\xff", b"[1]", b'[{"method": "tools/call"}]', b"1", b'"x"', b"[" * 100_000],
)
def test_what_is_no_object_is_no_message(body: bytes) -> None:
    assert parse(body) is None


def test_an_object_is_a_message() -> None:
    assert parse(b'{"method": "ping"}') == {"method": "ping"}


def test_the_body_is_given_back_once_and_then_what_the_connection_says() -> None:
    async def read() -> list[Any]:
        replayed = replay(b"body", receiving([], ends=False))
        return [await replayed(), await replayed()]

    first, second = asyncio.run(read())
    assert first == {"type": "http.request", "body": b"body", "more_body": False}
    assert second["type"] == "http.disconnect"
