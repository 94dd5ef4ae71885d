"""Tests that what a client holds on to outlives a worker: session ids, and legacy streams with their messages."""

from __future__ import annotations

import http.client
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ..support import SERVERS, Platform, with_config
from .probing import wait_for

DEADLINE_S = 30.0
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


class Client:
    """Speaks to one port, a connection for each request."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port
        self.session: str | None = None
        self._last_id = 0

    def post(self, method: str, params: dict[str, Any] | None = None, *, path: str = "/mcp") -> Any:
        self._last_id += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params or {}}
        if method.startswith("notifications/"):
            del message["id"]
        headers = HEADERS | ({"Mcp-Session-Id": self.session} if self.session else {})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE_S)
        connection.request("POST", path, json.dumps(message), headers)
        reply = connection.getresponse()
        body = reply.read().decode()
        connection.close()
        self.session = reply.headers.get("mcp-session-id") or self.session
        if reply.status != 200:
            return reply.status
        return json.loads(next(line[5:] for line in body.splitlines() if line.startswith("data:")))

    @contextmanager
    def stream(self, path: str) -> Iterator[http.client.HTTPResponse]:
        headers = {"Accept": "text/event-stream"} | ({"Mcp-Session-Id": self.session} if self.session else {})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE_S)
        connection.request("GET", path, headers=headers)
        with closing(connection), connection.getresponse() as response:
            yield response


def next_data(stream: http.client.HTTPResponse) -> str:
    while line := stream.readline():
        if line.startswith(b"data:"):
            return line[5:].decode().strip()
    raise EOFError


def add(a: int, b: int) -> dict[str, Any]:
    return {"name": "add", "arguments": {"a": a, "b": b}}


def text_of(answer: str) -> str:
    text: str = json.loads(answer)["result"]["content"][0]["text"]
    return text


def edit(project: Path) -> None:
    with (project / "server.py").open("a") as file:
        file.write("# another release\n")


@pytest.mark.parametrize("kind", ["mcp2_lowlevel", "mcp1_lowlevel", "fastmcp3"])
def test_a_session_goes_on_under_its_id_after_a_redeploy_and_a_restart(
    platform: Platform, tmp_path: Path, kind: str
) -> None:
    project = with_config(SERVERS / kind, "[deployment]\nsessions = true\n", tmp_path / "project")
    name = f"kept-{kind.replace('_', '-')}"
    client = Client(platform.run("deploy", str(project), "--name", name, "--json")["url"])
    assert "result" in client.post("initialize", INITIALIZE)
    client.post("notifications/initialized")
    session = client.session
    with client.stream("/mcp") as listening:
        assert "42" in json.dumps(client.post("tools/call", add(20, 22)))
        edit(project)
        assert platform.run("deploy", str(project), "--name", name, "--json")["release"] == "v2"
        # The old worker's stream ends with the hint to connect again.
        assert b"retry: 500" in listening.read()
    assert "43" in json.dumps(client.post("tools/call", add(20, 23)))
    assert client.session == session
    platform.stop()
    platform.run("platform", "start", "--json")
    assert "44" in json.dumps(client.post("tools/call", add(20, 24)))
    client.session = "f" * 32
    assert client.post("tools/call", add(1, 1)) == 404


def test_a_call_over_sse_is_answered_by_the_worker_that_has_the_stream(platform: Platform, tmp_path: Path) -> None:
    project = Path(shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path / "project"))
    client = Client(platform.run("deploy", str(project), "--name", "legacy", "--json")["url"])
    with client.stream("/sse") as stream:
        endpoint = next_data(stream)
        assert client.post("initialize", INITIALIZE, path=endpoint) == 202
        assert "serverInfo" in next_data(stream)
        client.post("notifications/initialized", path=endpoint)
        slow = {"name": "slow", "arguments": {"steps": 3, "token": "t"}, "_meta": {"progressToken": "p"}}
        assert client.post("tools/call", slow, path=endpoint) == 202
        assert "progress" in next_data(stream)
        edit(project)
        # The old worker drains: it holds the stream on which the call will be answered.
        assert platform.run("deploy", str(project), "--name", "legacy", "--json")["release"] == "v2"
        release = {"name": "release", "arguments": {"token": "t"}}
        # It lands in the new worker, and is taken to the old one.
        assert client.post("tools/call", release, path=endpoint) == 202
        answers: list[str] = []
        while sum('"result"' in answer for answer in answers) < 2:
            answers.append(next_data(stream))
    deadline = time.monotonic() + DEADLINE_S
    while client.post("tools/call", add(1, 1), path=endpoint) != 404:
        assert time.monotonic() < deadline, "the ended session is still taken for an open one"


STOP_FIRST = '[deployment]\nreplace = "stop-first"\n'
KINDS = ("mcp2_lowlevel", "mcp1_lowlevel", "fastmcp2", "stdio_python", "asgi")


@pytest.mark.parametrize(
    ("kind", "config"), [*((kind, "") for kind in KINDS), ("mcp2_lowlevel", STOP_FIRST), ("mcp1_lowlevel", STOP_FIRST)]
)
def test_a_stream_goes_on_in_the_worker_of_the_next_release(
    platform: Platform, tmp_path: Path, kind: str, config: str
) -> None:
    project, name = with_config(SERVERS / kind, config, tmp_path), f"goes-on-{kind.replace('_', '-')}"
    client = Client(platform.deploy(project, name=name, env={"GREETING": "first"}).url)
    with client.stream("/sse") as stream:
        endpoint = next_data(stream)
        assert client.post("initialize", INITIALIZE, path=endpoint) == 202
        assert "serverInfo" in next_data(stream)
        client.post("notifications/initialized", path=endpoint)

        def greeting() -> str:
            assert client.post("tools/call", {"name": "whoami", "arguments": {}}, path=endpoint) == 202
            return text_of(next_data(stream)).split()[1]

        assert greeting() == "first"
        for next_greeting in ("second", "third"):
            platform.deploy(project, name=name, env={"GREETING": next_greeting})
            # The old worker goes when nothing is under way on the stream.
            wait_for(lambda: greeting() == next_greeting)  # noqa: B023 - waited for at once
    platform.run("destroy", name)
