"""Tests that clients hear what a function's server would say, the same bytes, before it is imported."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from homeport_runtime.protocol.discovery import ID, as_asked, key_of, recorded_requests
from homeport_runtime.protocol.jsonrpc import HANDSHAKE_VERSIONS
from homeport_runtime.protocol.subscriptions import DISCOVER
from tests.aws.function_url import FunctionURL
from tests.aws.sandbox import DEADLINE_S, INIT_S

from ....support import require
from ...conftest import JSON, call, python_with, wait_for
from ...workers import REQUIREMENTS, Workers, kind_source
from .lambda_functions import lay_out
from .test_host import ask

pytestmark = pytest.mark.whole

# Importing waits here until the test closes the connection.
GATE = "import os, socket\nsocket.create_connection(('127.0.0.1', int(os.environ['GATE']))).recv(1)\n"


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


@contextmanager
def gated(
    folder: Path, kind: str, discovery: JSON, token_hash: str = "", variables: Mapping[str, str] | None = None
) -> Iterator[tuple[FunctionURL, socket.socket]]:
    """Returns a function that does not get beyond its first line before the second value is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        gate = {"GATE": str(listener.getsockname()[1])}
        source, future = GATE + kind_source(kind), "from __future__ import annotations\n"
        if future in source:
            source = future + source.replace(future, "")
        given = {"HOMEPORT_TOKEN_HASH": token_hash, **(variables or {})}
        function = lay_out(folder, source, REQUIREMENTS[kind], variables=given, environment=gate)
        (function.task / "discovery.json").write_text(json.dumps(discovery))
        with closing(FunctionURL(function, folder)) as front:
            # A sandbox that freezes would stand still before it comes to the gate.
            front.freezes = False
            first = front.sandbox()
            try:
                held, _ = listener.accept()
            except TimeoutError:
                raise AssertionError(f"{first.init_error}\n{front.log.read_text()}") from None
            with closing(held):
                yield front, held


def recorded(workers: Workers, kind: str) -> JSON:
    worker = workers.start(kind_source(kind), python_with(REQUIREMENTS[kind]), mode="inspect", record=True)
    discovery: JSON = worker.expect("inspected")["discovery"]
    return discovery


def heard(front: FunctionURL, headers: JSON, message: JSON, request_id: object) -> Any:
    """Status, headers and bytes of one answer."""
    message = {**message, "id": request_id} if "id" in message else message
    fields, body = as_asked(headers, message, "a third client")
    connection = http.client.HTTPConnection(front.url.removeprefix("http://"), timeout=DEADLINE_S)
    with closing(connection):
        connection.request("POST", "/mcp", body, {name.decode(): value.decode() for name, value in fields[1:]})
        answer = connection.getresponse()
        kept = sorted((name, value) for name, value in answer.getheaders() if name not in ("Date", "Server"))
        return answer.status, kept, answer.read()


@pytest.mark.parametrize("kind", REQUIREMENTS)
def test_it_says_what_the_server_says(kind: str, workers: Workers, tmp_path: Path) -> None:
    discovery = recorded(workers, kind)
    keys = set(discovery["answers"])
    assert {f"initialize {version}" for version in HANDSHAKE_VERSIONS} <= keys
    assert {"tools/list 2025-11-25", "ping ", "server/discover 2026-07-28", "tools/list 2026-07-28"} <= keys
    wanted = [(headers, message) for key, headers, message in recorded_requests() if key in keys]
    with gated(tmp_path, kind, discovery) as (front, gate):
        before = [heard(front, headers, message, number) for number, (headers, message) in enumerate(wanted)]
        gate.close()
        assert ask(front, call("add", a=1, b=2))["result"]["content"][0]["text"] == "3"
        # It is read up to the message only; the stream may still have to end.
        wait_for(lambda: not front.sandboxes[0].busy)
        after = [heard(front, headers, message, number) for number, (headers, message) in enumerate(wanted)]
        assert len(front.sandboxes) == 1
    assert before == after
    assert ID.encode() not in b"".join(body for _, _, body in before)
    # Nobody may listen on Lambda (subscriptions/listen), so nothing that would be heard there is offered.
    (offered,) = [
        body for (_, message), (_, _, body) in zip(wanted, after, strict=True) if message["method"] == DISCOVER
    ]
    assert not [word for word in (b"listChanged", b"subscribe") if word in offered]


def test_a_call_waits_for_the_import(workers: Workers, tmp_path: Path) -> None:
    with gated(tmp_path, "mcp2_lowlevel", recorded(workers, "mcp2_lowlevel")) as (front, gate):
        connection = http.client.HTTPConnection(front.url.removeprefix("http://"), timeout=DEADLINE_S)
        fields, body = as_asked({}, call("add", a=1, b=2), "x")
        connection.request("POST", "/mcp", body, {name.decode(): value.decode() for name, value in fields[1:]})
        wait_for(lambda: front.sandboxes[0].busy)
        gate.close()
        assert b'"3"' in connection.getresponse().read()
        connection.close()


def test_who_wants_it_imports_before_the_first_event(workers: Workers, tmp_path: Path) -> None:
    """An instance that is started ahead stands still from when it asks for events; one that takes too long asks."""
    first = {"HOMEPORT_IMPORT_FIRST": "1"}
    with gated(tmp_path, "mcp2_lowlevel", recorded(workers, "mcp2_lowlevel"), variables=first) as (front, gate):
        (sandbox,) = front.sandboxes
        assert not sandbox.ready.wait(0.5)
        assert sandbox.ready.wait(INIT_S)
        assert heard(front, {}, {"method": "ping", "id": 1}, 1)[0] == 200, "before the import is done"
        gate.close()
        assert ask(front, call("add", a=1, b=2))["result"]["content"][0]["text"] == "3"


def test_only_who_is_let_in_hears_it(workers: Workers, tmp_path: Path) -> None:
    token_hash = "1a17ea3569204d6c4114794ca73fa257457fc0612928c7bf024801659b77dba8"  # of "mytoken"
    with gated(tmp_path, "mcp2_lowlevel", recorded(workers, "mcp2_lowlevel"), token_hash) as (front, gate):
        ping = {"method": "ping", "id": 1}
        assert heard(front, {"authorization": "Bearer mytoken"}, ping, 1)[0] == 200
        gate.close()
        assert heard(front, {}, ping, 1)[0] == 401


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, {"id": 1, "method": "tools/call", "params": {"name": "add"}}),
        ({}, {"id": 1, "method": "tools/list", "params": {"cursor": "x"}}),
        ({}, {"id": None, "method": "tools/list"}),
        ({}, {"id": True, "method": "tools/list"}),
        ({}, {"method": "tools/list"}),
        ({}, {"id": 1, "method": "initialize", "params": {"protocolVersion": "2099-01-01"}}),
        ({"accept": "application/json"}, {"id": 1, "method": "tools/list"}),
        ({"mcp-protocol-version": "2026-07-28"}, {"id": 1, "method": "tools/list", "params": {"_meta": {}}}),
        ({}, [{"id": 1, "method": "ping"}]),
        ({}, "ping"),
    ],
)
def test_what_is_more_than_a_look_is_the_servers(headers: JSON, message: Any) -> None:
    usual = {"accept": "application/json, text/event-stream", "content-type": "application/json", **headers}
    whole = {"jsonrpc": "2.0", **message} if isinstance(message, dict) else message
    assert key_of(usual, whole) is None
