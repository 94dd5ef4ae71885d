"""Tests what one worker tells the next of a stream."""

from __future__ import annotations

import pytest

from homeport_runtime.asgi import Scope
from homeport_runtime.guard.carried import Carried
from homeport_runtime.relay.base import Posted


def test_what_is_unpacked_is_what_was_packed() -> None:
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "path": "/sse",
        "root_path": "",
        "query_string": b"a=\xff",
        "headers": [(b"host", b"localhost"), (b"x-name", b"\xe9")],
        "client": ("127.0.0.1", 4),
        "server": ("127.0.0.1", 5),
    }
    said = (Posted(b"session_id=abc", [(b"accept", b"*/*")], '{"name": "é"}'.encode()),)
    carried = Carried.from_bytes(Carried("abc", scope, said).to_bytes())
    assert (carried.name, carried.said) == ("abc", said)
    assert {key: carried.scope[key] for key in scope} == scope


@pytest.mark.parametrize("packed", [b"", b"{", b"[]", b"{}", b'{"name": 1, "scope": {}}'])
def test_what_is_no_stream_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="tells of no stream"):
        Carried.from_bytes(packed)
