"""Compares requests that are read without h11 with what h11 makes of the same bytes."""

from __future__ import annotations

import h11
from hypothesis import given
from hypothesis import strategies as st

from homeport_runtime.hosts.plain_request import read_plain

GOOD = st.sampled_from(
    [b"Connection: keep-alive", b"Accept: a, b;q=0.5", b"accept:  a ", b"X: \xff \x80", b"X:", b"Content-Type: a/b"]
)
STRANGE = st.sampled_from(
    [
        b"host:localhost ",
        b"content-length:  4",
        b"Content-Length: +4",
        b"Content-Length: 4, 4",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Upgrade: h2c",
        b"Expect: 100-continue",
        b"X: a\tb",
        b" folded",
        b"No colon",
        b"Name : value",
        b":",
        b"",
    ]
)
FIRST = st.sampled_from([b"POST /mcp HTTP/1.1", b"GET /a?b=%20 HTTP/1.1", b"DELETE / HTTP/1.1"])
STRANGE_FIRST = st.sampled_from(
    [b"GET / HTTP/1.0", b"GET http://a/ HTTP/1.1", b"GET /\x80 HTTP/1.1", b"HEAD / HTTP/1.1"]
)
END, STRANGE_END = st.just(b"\r\n"), st.sampled_from([b"\n", b"\r", b" \r\n", b"\r\n "])


def mostly(good: st.SearchStrategy[bytes], strange: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.integers(0, 15).flatmap(lambda number: strange if number == 15 else good)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    more = draw(st.lists(mostly(GOOD, STRANGE | st.binary(max_size=12)), max_size=5))
    fields = draw(st.permutations([b"Host: localhost", b"Content-Length: 4", *more]))
    lines = [draw(mostly(FIRST, STRANGE_FIRST)), *fields, b""]
    head = b"".join(line + draw(mostly(END, STRANGE_END)) for line in lines)
    return head + draw(mostly(st.just(b"abcd"), st.sampled_from([b"", b"abc", b"abcdGET / HTTP/1.1\r\n"])))


def by_h11(data: bytes) -> tuple[h11.Request, bytes]:
    """Returns the first request and its body."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert connection.trailing_data == (b"", False)
    assert not connection.they_are_waiting_for_100_continue
    assert connection.their_state is h11.DONE, "the connection goes on"
    return request, body


@given(requests())
def test_what_is_plain_is_what_h11_reads(data: bytes) -> None:
    plain = read_plain(data)
    if plain is None or len(data) < plain.start + plain.length:
        return
    request, body = by_h11(data)
    assert (plain.method, plain.target, plain.headers) == (request.method, request.target, list(request.headers))
    assert data[plain.start :] == body
