"""Tests what each client makes of each refusal of ours, on /mcp and on /sse: nobody waits for ever, and the next call
works wherever the client survives.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.probing import wait_for
from tests.small_disks import fill, small_disk
from tests.support import SERVERS, Platform, require, with_config

from . import environments

pytestmark = pytest.mark.whole

PYTHON = ("mcp1", "mcp2", "fastmcp2", "fastmcp3", "fastmcp")
CLIENTS = (*PYTHON, "ts_sdk", "ts_client", "mcp_remote")
TRANSPORTS = ("/mcp", "/sse")
BRIDGE = Path(__file__).parent.parent / "signin" / "programs"
# Above what the client takes to say by itself that a call hangs.
DEADLINE_S = 60
SERVER = SERVERS / "mcp2_lowlevel"
DIES = """
TOOLS["die"] = schema()
living = answer


async def answer(ctx, name, arguments):
    if name == "die":
        os._exit(1)
    return await living(ctx, name, arguments)
"""
CONFIG = """
[auth]
mode = "token"
[scopes]
remember = "notes:write"
"*" = "notes:read"
[limits.tools]
recall = "1/hour"
slow = { timeout_s = 0.5 }
"""
AUDITED = """
[auth]
mode = "token"
[audit]
required = true
"""


@dataclass(frozen=True)
class Refused:
    """Is a call that is refused: the status that the answer has over HTTP, and what the error's data say."""

    tool: str
    status: int
    code: int
    reason: str
    arguments: dict[str, Any]


REFUSED = (
    Refused("remember", 403, -32001, "insufficient_scope", {"text": "x"}),
    Refused("recall", 429, -32000, "rate_limited", {}),
    Refused("add", 413, -32600, "too_large", {"a": 1, "b": 2, "more": "x" * 5_000_000}),
    # It waits for a file that nobody makes.
    Refused("slow", 504, -32000, "timeout", {"steps": 2, "token": "nobodys"}),
)
# The clients that wait for ever when a call is answered by an HTTP error, or its connection breaks: they hear of it and
# tell nobody.
WAIT = {("fastmcp2", "/mcp")}
# Those whose sessions go on then. The SDKs in TypeScript hear nothing on /sse, and their own time for a call runs out.
GO_ON = {
    ("ts_sdk", "/mcp"),
    *(("ts_client", each) for each in TRANSPORTS),
    *(("mcp_remote", each) for each in TRANSPORTS),
}
UNAVAILABLE = Refused("add", 503, -32000, "audit_unavailable", {"a": 1, "b": 2})


class Driven:
    """Is a client that does one thing after another."""

    def __init__(self, client: str) -> None:
        self.client = client
        self._process: subprocess.Popen[str] | None = None

    def connect(self, url: str, token: str) -> dict[str, Any]:
        if self._process is None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                command(self.client), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
            )
        return self._do(self._process, connect=url, headers={"Authorization": f"Bearer {token}"})

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        if self._process is None:
            return {"dead": "it has hung"}
        return self._do(self._process, call=tool, arguments=arguments)

    def disconnect(self) -> None:
        if self._process is not None:
            self._do(self._process, close=True)

    def _do(self, process: subprocess.Popen[str], **order: Any) -> dict[str, Any]:
        assert process.stdin
        assert process.stdout
        timer = threading.Timer(DEADLINE_S, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline() or '{"hang": true}')
        finally:
            timer.cancel()
        if "hang" in answer:
            self.end()
        return answer

    def end(self) -> None:
        """Ends its process; the next connection has another."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def command(client: str) -> list[str | Path]:
    if client in PYTHON:
        program = "drive_fastmcp.py" if client.startswith("fastmcp") else f"drive_{client}.py"
        return [environments.python(client), "-W", "ignore", environments.HERE / program]
    if client == "mcp_remote":
        bridge = environments.node(BRIDGE)
        proxy = bridge.folder / "node_modules" / "mcp-remote" / "dist" / "proxy.js"
        script = environments.HERE / "drive_mcp_remote.py"
        return [environments.python("mcp2"), "-W", "ignore", script, bridge.program, proxy]
    return [environments.node().program, environments.node().scripts / f"drive_{client}.mjs"]


@pytest.fixture(scope="module")
def url(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = with_config(SERVER, CONFIG, tmp_path_factory.mktemp("refusing"))
    with (folder / "server.py").open("a") as file:
        file.write(DIES)
    return platform.deploy(folder, name="refusing").url


@pytest.fixture(scope="module", params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Iterator[Driven]:
    try:
        command(request.param)
    except environments.UnavailableError as error:
        require(False, str(error))
    driven = Driven(request.param)
    yield driven
    driven.end()


@pytest.fixture
def token(platform: Platform, url: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Makes a token, which has a limit of its own."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    assert url
    return platform.run("token", "create", "refusing", "--client", name[:60], "--scope", "notes:read")


def check(client: Driven, transport: str, refused: Refused, answer: dict[str, Any]) -> None:
    """Checks that the caller hears why, in as many words as its SDK leaves of the answer."""
    assert not answer.keys() & {"hang", "dead", "text"}, answer
    if answer.get("data"):
        assert (answer["code"], answer["data"]["reason"]) == (refused.code, refused.reason), answer
        return
    # These make a text of an HTTP error, and of a challenge for more scopes what they tried to get them.
    assert transport == "/mcp", answer
    assert client.client in ("ts_sdk", "ts_client", "mcp_remote"), answer
    assert refused.status == 403 or refused.reason in answer["message"], answer


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_refused_calls(client: Driven, platform: Platform, url: str, token: dict[str, Any], transport: str) -> None:
    assert client.connect(f"{url}{transport}", token["token"]) == {"connected": True}
    client.call("recall")
    for refused in REFUSED:
        check(client, transport, refused, client.call(refused.tool, **refused.arguments))
        assert client.call("add", a=1, b=2) == {"text": "3"}, refused.reason
    platform.run("token", "revoke", "refusing", token["id"])
    answer = wait_for(lambda: (said := client.call("add", a=1, b=2)) != {"text": "3"} and said)
    assert ("hang" in answer) == ((client.client, transport) in WAIT), answer
    client.disconnect()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_unknown_token(client: Driven, platform: Platform, url: str, token: dict[str, Any], transport: str) -> None:
    answer = client.connect(f"{url}{transport}", "nobodys")
    assert not answer.keys() & {"hang", "connected"}, answer
    assert client.connect(f"{url}{transport}", token["token"]) == {"connected": True}
    assert client.call("add", a=1, b=2) == {"text": "3"}
    client.disconnect()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_worker_that_dies(client: Driven, url: str, token: dict[str, Any], transport: str) -> None:
    assert client.connect(f"{url}{transport}", token["token"]) == {"connected": True}
    answer = client.call("die")
    assert "text" not in answer, answer
    assert ("hang" in answer) == ((client.client, transport) in WAIT), answer
    if (client.client, transport) in GO_ON:
        wait_for(lambda: client.call("add", a=1, b=2) == {"text": "3"})
    client.disconnect()
    wait_for(lambda: client.connect(f"{url}{transport}", token["token"]) == {"connected": True})
    assert client.call("add", a=1, b=2) == {"text": "3"}
    client.disconnect()


@pytest.fixture(scope="module")
def disk(platform: Platform) -> Iterator[Path]:
    with small_disk(platform.home / "projects" / "audited" / "audit", 8) as folder:
        yield folder


@pytest.fixture(scope="module")
def audited(platform: Platform, disk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    assert disk
    folder = with_config(SERVER, AUDITED, tmp_path_factory.mktemp("audited"))
    return platform.run("deploy", str(folder), "--name", "audited")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_unavailable(client: Driven, audited: dict[str, Any], disk: Path, transport: str) -> None:
    assert client.connect(f"{audited['url']}{transport}", audited["token"]) == {"connected": True}
    assert client.call("add", a=1, b=2) == {"text": "3"}
    filler = fill(disk)
    answer = wait_for(lambda: (said := client.call("add", a=1, b=2)) != {"text": "3"} and said)
    filler.unlink()
    check(client, transport, UNAVAILABLE, answer)
    wait_for(lambda: client.call("add", a=1, b=2) == {"text": "3"})
    client.disconnect()
