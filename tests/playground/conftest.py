"""Runs one platform with one server that is served in both eras, and asks its API as the console does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support import SERVERS, Platform, with_config, with_packages

SERVER = SERVERS / "playground"
Event = dict[str, Any]


@dataclass(frozen=True)
class Trier:
    """Tries what projects of a platform offer."""

    http: httpx.Client

    @contextmanager
    def begun(self, project: str, method: str, params: Mapping[str, Any] | str) -> Iterator[Iterator[Event]]:
        """Sends a request, and yields its events, which can be read while it goes on."""
        body = {"method": method, "params": params}
        with self.http.stream("POST", f"/v1/projects/{project}/try", json=body) as response:
            assert response.status_code == 200, response.read()
            yield map(json.loads, response.iter_lines())

    def call(self, project: str, tool: str, arguments: str) -> list[Event]:
        """Calls a tool with arguments as they are typed, and returns all events."""
        with self.begun(project, "tools/call", f'{{"name": "{tool}", "arguments": {arguments}}}') as events:
            return list(events)

    def reply(self, project: str, try_id: str, **body: object) -> httpx.Response:
        return self.http.post(f"/v1/projects/{project}/try/{try_id}/replies", json=body)


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home")))
    guarded = '[auth]\nmode = "token"\n'
    for name, config in (("modern", guarded), ("legacy", f"{guarded}[deployment]\nsessions = true\n")):
        running.run("deploy", str(with_config(SERVER, config, tmp_path_factory.mktemp(name))), "--name", name)
    yield running
    running.stop()


@pytest.fixture
def trier(platform: Platform) -> Iterator[Trier]:
    transport = httpx.HTTPTransport(uds=str(platform.home / "platform.sock"))
    with httpx.Client(transport=transport, base_url="http://localhost", timeout=120) as http:
        yield Trier(http)


def text_of(events: list[Event]) -> str:
    """Returns the text in the answer of a tool. Asserts that this is the last event."""
    assert events[-1]["event"] == "answer", events
    return str(json.loads(events[-1]["body"])["result"]["content"][0]["text"])
