from __future__ import annotations

import asyncio
import http.client
import json
import re
import shutil
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from homeport_runtime.errors import ServerError
from homeport_runtime.servers.stdio_bridge import StdioBridge

from ...support import require
from ..conftest import HERE, ROOT, Serve, Served, call, message, python_with, wait_for

PROGRAMS = HERE / "programs"
ODD = [sys.executable, str(PROGRAMS / "odd.py")]
NODE_SERVER = ROOT / "tests" / "servers" / "stdio_node" / "server.mjs"


def node() -> str:
    found = shutil.which("node")
    require(found, "node is not installed")
    return str(found)


@pytest.fixture(scope="module")
def odd(serve: Serve) -> Served:
    return serve(command=ODD)


@pytest.fixture(scope="module")
def stateful(serve: Serve) -> Served:
    return serve(command=ODD, sessions=True)


def text_of(response: dict[str, Any]) -> str:
    return str(response["result"]["content"][0]["text"])


def answer(request_id: object, text: str) -> dict[str, Any]:
    result = {"content": [{"type": "text", "text": text}], "isError": False}
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def release(served: Served, key: str) -> None:
    (served.folder / f"released-{key}").touch()


def began(served: Served, key: str) -> str:
    """Returns the id by which the program knows the waiting request."""
    file = served.folder / f"began-{key}"
    return str(wait_for(lambda: file.exists() and file.read_text()))


@pytest.mark.parametrize("language", ["python", "node", "sh"])
def test_a_program_in_any_language_is_served(serve: Serve, language: str) -> None:
    if language == "python":
        server = str(ROOT / "tests" / "servers" / "stdio_python" / "server.py")
        command = [python_with("mcp<2"), server]
    else:
        command = [node(), str(NODE_SERVER)] if language == "node" else [str(PROGRAMS / "plain.sh")]
    served = serve(command=command)

    async def use() -> tuple[list[str], Any]:
        async with Client(f"{served.url}/mcp", mode="legacy") as client:
            tools = await client.list_tools()
            return [tool.name for tool in tools.tools], await client.call_tool("add", {"a": 2, "b": 3})

    tools, added = asyncio.run(use())
    assert "add" in tools
    assert added.content[0].text == "5"


def test_a_client_on_mcp_1_uses_both_transports(serve: Serve) -> None:
    served = serve(command=[node(), str(NODE_SERVER)])
    ran = subprocess.run(
        [python_with("mcp<2"), "-W", "ignore", str(PROGRAMS / "mcp1_client.py"), served.url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert seen["http"] == seen["sse"]
    assert (seen["http"]["add"], seen["http"]["slow"], seen["http"]["progress"]) == ("5", "2 steps", [1, 2])


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("2024-11-05", "2024-11-05"), ("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-06-18"), ("1", "2025-06-18")],
)
def test_initialize_agrees_on_the_older_of_two_versions(odd: Served, asked: str, answered: str) -> None:
    params = {"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    result = odd.post(message("initialize", params))["result"]
    assert result["protocolVersion"] == answered
    assert result["serverInfo"] == {"name": "odd", "version": "3"}


def test_the_program_is_initialized_once_and_by_homeport(odd: Served) -> None:
    odd.post(message("initialize", {"protocolVersion": "2024-11-05", "clientInfo": {"name": "a", "version": "1"}}))
    seen = json.loads(text_of(odd.post(call("initialized_with"))))
    assert seen["clientInfo"]["name"] == "homeport"
    assert seen["protocolVersion"] == "2025-11-25"


def test_the_answer_is_a_stream_or_json_as_the_client_accepts(odd: Served) -> None:
    for accept, kind in [
        ("application/json, text/event-stream", "text/event-stream"),
        ("text/event-stream", "text/event-stream"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
    ]:
        with odd.request("POST", "/mcp", call("echo", text="hi"), {"accept": accept}) as reply:
            assert (reply.status, reply.header("content-type")) == (200, kind)
            assert text_of(reply.rpc()) == "hi"
    with odd.request("POST", "/mcp", call("echo", text="hi"), {"accept": "text/html"}) as reply:
        assert reply.status == 406


@pytest.mark.parametrize(
    ("method", "body", "status", "code"),
    [
        ("GET", None, 405, -32600),
        ("DELETE", None, 405, -32600),
        ("POST", b"{", 400, -32700),
        ("POST", [call("echo", text="")], 400, -32600),
        ("POST", {"jsonrpc": "2.0", "id": None, "method": "ping"}, 400, -32600),
    ],
)
def test_what_is_not_a_request_is_refused(odd: Served, method: str, body: object, status: int, code: int) -> None:
    with odd.request(method, "/mcp", body) as reply:
        assert (reply.status, reply.rpc()["error"]["code"]) == (status, code)


def test_a_version_it_does_not_know_is_refused(stateful: Served) -> None:
    with stateful.request("POST", "/mcp", call("echo", text=""), {"mcp-protocol-version": "1999-01-01"}) as reply:
        assert (reply.status, reply.rpc()["error"]["code"]) == (400, -32602)


def test_a_notification_is_accepted(odd: Served) -> None:
    with odd.request("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"}) as reply:
        assert (reply.status, reply.raw.read()) == (202, b"")


def test_progress_arrives_while_the_tool_runs_and_goes_to_the_right_client(odd: Served) -> None:
    request = call("wait", request_id=7, token="mine", key="one")
    other = call("wait", request_id=7, token="mine", key="two")
    with odd.request("POST", "/mcp", request) as first, odd.request("POST", "/mcp", other) as second:
        for reply in (first, second):
            assert reply.next()["params"] == {"progressToken": "mine", "progress": 1}
        release(odd, "two")
        assert second.next() == answer(7, "released two")
        release(odd, "one")
        assert first.next() == answer(7, "released one")


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
def test_a_client_that_goes_away_cancels_its_request(odd: Served, accept: str) -> None:
    key = f"left-{accept.replace('/', '-')}"
    with closing(http.client.HTTPConnection("127.0.0.1", odd.port)) as connection:
        connection.request("POST", "/mcp", json.dumps(call("wait", key=key)), {"accept": accept})
        number = began(odd, key)
    assert wait_for((odd.folder / f"cancelled-{number}").exists)
    release(odd, key)


def test_a_request_is_cancelled_by_the_id_its_client_gave_it(odd: Served) -> None:
    with odd.request("POST", "/mcp", call("wait", request_id="abc", key="called-off")) as reply:
        number = began(odd, "called-off")
        params = {"requestId": "abc", "reason": "changed my mind"}
        with odd.request("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}):
            pass
        assert reply.next()["error"]["message"] == "Request cancelled"
    assert wait_for((odd.folder / f"cancelled-{number}").exists)
    release(odd, "called-off")


def test_messages_of_megabytes_pass_in_both_directions(odd: Served) -> None:
    text = "y" * 3_000_000
    assert text_of(odd.post(call("echo", text=text))) == text
    assert len(text_of(odd.post(call("big", size=5_000_000)))) == 5_000_000


def test_what_is_not_a_message_goes_to_the_log(odd: Served) -> None:
    assert text_of(odd.post(call("garbage"))) == "still here"
    log = wait_for(lambda: "for the log" in (seen := odd.log.read_text()) and seen)
    assert "[stdout, not a message] this is not a message" in log


def test_the_program_can_ping_but_not_ask(odd: Served) -> None:
    assert json.loads(text_of(odd.post(call("ask", method="ping"))))["result"] == {}
    asked = json.loads(text_of(odd.post(call("ask", method="sampling/createMessage"))))
    assert asked["error"]["code"] == -32601


def test_a_log_line_goes_to_the_only_request_in_flight(odd: Served) -> None:
    with odd.request("POST", "/mcp", call("log", level="info")) as reply:
        assert reply.next()["params"] == {"level": "info", "data": "a line"}
        assert text_of(reply.next()) == "logged"


def test_a_program_that_exits_is_said_so_and_started_again(serve: Serve) -> None:
    served = serve(command=ODD)
    with served.request("POST", "/mcp", call("wait", request_id=1, key="never")) as waiting:
        began(served, "never")
        error = served.post(call("exit", request_id=2, code=3))["error"]
        data = {"retryable": True, "retry_after_ms": 1000, "reason": "server_ended"}
        detail = "the program exited with code 3 before it answered"
        assert error == {"code": -32000, "message": "Server error", "data": {"detail": detail, **data}}
        assert waiting.rpc()["error"] == error
    assert text_of(served.post(call("echo", text="back"))) == "back"


def test_a_program_that_keeps_exiting_is_left_alone_for_a_while(serve: Serve) -> None:
    served = serve(command=ODD)
    errors = [served.post(call("exit", code=1))["error"]["data"]["detail"] for _ in range(6)]
    assert "exited with code 1" in errors[0]
    assert re.match(r"the program keeps exiting; it is started again in \d+ s", errors[-1]), errors
    # An answer ends the pause: nothing is held against a program that works again.
    wait_for(lambda: "result" in served.post(call("echo", text="back")))


def test_sessions(stateful: Served) -> None:
    initialize = message("initialize", {"protocolVersion": "2025-06-18"})
    with stateful.request("POST", "/mcp", initialize) as reply:
        session = {"mcp-session-id": reply.header("mcp-session-id")}
    assert re.fullmatch("[0-9a-f]{32}", session["mcp-session-id"])
    assert text_of(stateful.post(call("echo", text="hi"), session)) == "hi"
    with stateful.request("GET", "/mcp", headers=session) as stream:
        with stateful.request("GET", "/mcp", headers=session) as second:
            assert second.status == 409
        stateful.post(call("changed"), session)
        assert stream.next()["method"] == "notifications/tools/list_changed"
    for headers, status in [({}, 400), ({"mcp-session-id": "unknown"}, 404)]:
        for method, body in [("POST", call("echo", text="hi")), ("GET", None), ("DELETE", None)]:
            with stateful.request(method, "/mcp", body, headers) as reply:
                assert reply.status == status
    with stateful.request("DELETE", "/mcp", headers=session) as reply:
        assert reply.status == 200
    with stateful.request("POST", "/mcp", call("echo", text="hi"), session) as reply:
        assert reply.status == 404


def test_sse_answers_on_the_stream_even_to_nonsense(odd: Served) -> None:
    with odd.request("GET", "/sse") as stream:
        name, endpoint = stream.event()
        assert name == "endpoint"
        assert re.fullmatch("/messages/\\?session_id=[0-9a-f]{32}", endpoint)
        for body in (b"{", [1], call("echo", request_id=None, text="hi")):
            with odd.request("POST", endpoint, body) as reply:
                assert reply.status == 202
            assert stream.next()["error"]["code"] in (-32700, -32600)
        with odd.request("POST", endpoint, call("echo", request_id="x", text="hi")) as reply:
            assert reply.status == 202
        assert stream.next()["id"] == "x"
        odd.post(call("changed"))
        assert stream.next()["method"] == "notifications/tools/list_changed"
    for path, status in [("/messages/?session_id=unknown", 404), ("/messages/", 400)]:
        with odd.request("POST", path, call("echo", text="hi")) as reply:
            assert reply.status == status
    with odd.request("POST", "/sse", call("echo", text="hi")) as reply:
        assert reply.status == 405


def test_closing_the_sse_stream_cancels_what_it_asked_for(odd: Served) -> None:
    with odd.request("GET", "/sse") as stream:
        endpoint = stream.event()[1]
        with odd.request("POST", endpoint, call("wait", key="sse-left")):
            number = began(odd, "sse-left")
    assert wait_for((odd.folder / f"cancelled-{number}").exists)
    release(odd, "sse-left")


def is_gone(pid: int) -> bool:
    """Tells whether the process has ended; one that nobody has waited for yet counts as ended."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not shown.strip() or shown.strip().startswith("Z")


def test_the_whole_process_group_ends_with_the_server(serve: Serve) -> None:
    served = serve(command=[str(PROGRAMS / "stubborn.sh")])
    pids = [int(pid) for pid in (served.folder / "pids").read_text().split()]
    assert not any(is_gone(pid) for pid in pids)
    served.stop()
    for pid in pids:
        assert wait_for(partial(is_gone, pid))


async def _start(command: list[str], cwd: Path) -> None:
    async with StdioBridge(command, cwd, {}, sessions=False).lifespan():
        pass


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["no-such-program-here", "x"], "there is no program called no-such-program-here"),
        (["./data"], "./data is not executable"),
        (["./script"], "cannot be started"),
        (["sh", "-c", "echo 'API_URL is not set' >&2; exit 4"], "exited with code 4"),
        (["sh", "-c", 'read -r x; echo \'{"jsonrpc":"2.0","id":1,"result":{}}\'; sleep 60'], "no protocol version"),
    ],
)
def test_a_program_that_cannot_be_used_is_an_error_at_start(tmp_path: Path, command: list[str], text: str) -> None:
    (tmp_path / "data").write_text("no program")
    (tmp_path / "script").write_text("\0not a program")
    (tmp_path / "script").chmod(0o700)
    with pytest.raises(ServerError) as caught:
        asyncio.run(_start(command, tmp_path))
    assert text in caught.value.message
    assert caught.value.hint
    if command[0] == "sh" and "exit 4" in command[2]:
        assert "API_URL is not set" in caught.value.hint


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=re.escape(str(tmp_path / "gone"))):
        asyncio.run(_start(["sh"], tmp_path / "gone"))
