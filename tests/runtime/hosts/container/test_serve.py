"""Tests an image's own server: who may call it, what it is given, and how it ends."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeport_runtime.errors import ServerError
from homeport_runtime.hosts.container.settings import DEFAULT_PORT, DRAIN_DELAY_S, Settings
from platform_cli.audit.instances import is_line, verify_instances
from platform_cli.records import read_record
from platform_cli.telemetry.error_event import ErrorEvent, read_error
from platform_cli.telemetry.grouping import key_of

from ...conftest import DEADLINE_S, call, python_with, wait_for
from ...sse import post, session
from ...workers import MCP2
from .images import Container, command, is_listening, make_image, serving, start

SOURCE = (
    MCP2
    + """
import os, subprocess, time
from pathlib import Path

@mcp.tool()
def wait(name: str) -> str:
    Path(f"{name}.started").touch()
    while not Path(name).exists():
        time.sleep(0.01)
    return "waited"

@mcp.tool()
def read() -> str:
    raise ValueError(f"{os.environ.get('KEY')} opens nothing")

@mcp.tool()
def leave() -> str:
    os._exit(3)

@mcp.tool()
def note(text: str, secret: str) -> str:
    return "noted"

@mcp.tool()
def facts() -> dict[str, str]:
    print("the key is", os.environ.get("KEY"))
    subprocess.run(["echo", os.environ.get("KEY", "")])
    return {**os.environ, "folder": os.getcwd(), "home": str(Path.home())}
"""
)
TOKEN = "tested-token"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}

Start = Callable[..., Container]


@pytest.fixture
def start_image(tmp_path: Path) -> Iterator[Start]:
    """Starts an image of SOURCE with these variables; `manifest` changes what the image says of itself."""
    running: list[Container] = []

    def started(manifest: dict[str, object] | None = None, **environment: str) -> Container:
        python = python_with("mcp>=2")
        root = make_image(tmp_path / f"image-{len(running)}", SOURCE, python, **(manifest or {}))
        running.append(start(root, python, **environment))
        return running[-1]

    yield started
    for container in running:
        if container.process.poll() is None:
            container.process.kill()
        container.process.wait(DEADLINE_S)


def facts(container: Container, headers: dict[str, str] | None = None) -> dict[str, str]:
    answer = container.post(call("facts"), headers)
    found: dict[str, str] = json.loads(answer["result"]["content"][0]["text"])
    return found


def errors_of(container: Container) -> list[tuple[ErrorEvent, dict[str, str]]]:
    """Returns the errors in a container's output, each with all of its line."""
    found = [(read_error(line.encode()), line) for line in container.out.read_text().splitlines()]
    return [(error, json.loads(line)) for error, line in found if error is not None]


def last_words(container: Container) -> str:
    """Returns why a container did not start."""
    assert container.process.wait(DEADLINE_S) == 1
    message: str = container.records()[-1]["message"]
    return message


def test_client_tokens_and_the_audit_log(start_image: Start, tmp_path: Path) -> None:
    """Tokens of single clients are in a file; each call has a line on standard output, bound to the one before it."""
    scopes = {"rules": {"note": ["note:write"], "*": ["all"]}, "implies": {}}
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps([{"hash": HASH, "client": "cursor", "user": "alice", "scopes": ["note:write"]}]))
    manifest = {"auth": None, "environment": {"KEY": "${secrets.API_KEY}"}, "scopes": scopes}
    given = {"API_KEY": "sesame-1234", "HOMEPORT_CLIENT_TOKENS_FILE": str(tokens), "HOMEPORT_PROJECT": "tested"}
    container = serving(start_image(manifest, **given))
    with container.request("POST", "/mcp", call("note", text="x", secret="y")) as refused:
        assert refused.status == 401
    assert "result" in container.post(call("note", text="x sesame-1234", secret="y"), AUTHORIZED)
    with container.request("POST", "/mcp", call("facts"), AUTHORIZED) as refused:
        assert refused.status == 403

    def lines() -> list[bytes]:
        return [line.encode() for line in container.out.read_text().splitlines() if is_line(line)]

    wait_for(lambda: len(lines()) == 3)
    assert verify_instances("tested", lines())["ok"]
    unknown, called, denied = map(json.loads, lines())
    assert [unknown["result"], called["result"], denied["result"]] == ["unauthorized", "success", "denied"]
    assert (called["client_id"], called["user_id"], called["project"]) == ("cursor", "alice", "tested")
    assert called["ip_address"] == "127.0.0.1", "although its socket is one of IPv6"
    assert called["arguments"] == {"text": "x [secret API_KEY]", "secret": "[redacted]"}
    edited = [lines()[0], lines()[1].replace(b'"alice"', b'"mallo"'), lines()[2]]
    assert verify_instances("tested", edited)["broken_at"] == 2
    assert verify_instances("tested", [lines()[0], lines()[2]])["broken_at"] == 2


@pytest.mark.parametrize("text", ["{", "[1]", '[{"client": "x"}]', '[{"hash": "12", "client": "x"}]', '{"a": 1}'])
def test_client_tokens_that_are_none(text: str) -> None:
    with pytest.raises(ServerError, match="HOMEPORT_CLIENT_TOKENS"):
        Settings.read({"HOMEPORT_CLIENT_TOKENS": text})


def test_no_client_is_taken_for_the_projects_token() -> None:
    with pytest.raises(ServerError, match="called project-token"):
        Settings.read({"HOMEPORT_CLIENT_TOKENS": f'[{{"hash": "{"0" * 64}", "client": "project-token"}}]'})


def test_it_answers_to_every_name_with_a_token_and_shows_no_secret(start_image: Start) -> None:
    manifest = {"auth": None, "environment": {"KEY": "${secrets.API_KEY}", "LEVEL": "info", "PLAIN": "configured"}}
    given = {"API_KEY": "sesame-1234", "LEVEL": "debug", "HOMEPORT_TOKEN": f"{TOKEN}\n", "HOMEPORT_PROJECT": "tested"}
    container = serving(start_image(manifest, **given))
    foreign = {"host": "10.0.0.5:8080"}
    with container.request("GET", "/health", headers=foreign) as reply:
        assert reply.status == 200
    with container.request("POST", "/mcp", call("facts"), foreign) as reply:
        assert reply.status == 401
    with container.request("POST", "/mcp", call("facts"), {**AUTHORIZED, "origin": "http://evil.example"}) as reply:
        assert reply.status == 403
    found = facts(container, {**foreign, **AUTHORIZED})
    assert (found["KEY"], found["LEVEL"], found["PLAIN"]) == ("sesame-1234", "debug", "configured")
    assert found["HOMEPORT_PROJECT"] == "tested"
    assert not {"API_KEY", "HOMEPORT_TOKEN"} & {*found}
    state = container.folder / "var" / "lib" / "homeport"
    assert (found["folder"], found["home"]) == (str(state / "files"), str(state / "home"))
    assert container.end() == 0
    output = container.out.read_text() + container.log.read_text()
    assert not [secret for secret in ("sesame-1234", TOKEN) if secret in output]
    messages = [json.loads(line) for line in container.out.read_text().splitlines() if line.startswith("{")]
    assert {"the key is [secret API_KEY]", f"serving on port {container.port}"} <= {
        each.get("message") for each in messages
    }
    assert {each["project"] for each in messages} == {"tested"}
    assert [each["call"]["tool"] for each in messages if "call" in each] == ["facts"]


def test_with_names_it_answers_to_these_alone(start_image: Start) -> None:
    container = serving(start_image(HOMEPORT_NAMES="mcp.example.com, other.example.com"))
    for host, status in (("mcp.example.com", 200), ("other.example.com:443", 200), ("evil.example", 421)):
        with container.request("POST", "/mcp", call("facts"), {"host": host}) as reply:
            assert reply.status == status
            if status == 421:
                assert "to HOMEPORT_NAMES" in reply.rpc()["error"]["data"]["detail"]
        with container.request("GET", "/health", headers={"host": host}) as reply:
            assert reply.status == 200


@pytest.mark.parametrize(
    ("manifest", "environment", "reason"),
    [
        ({"auth": None}, {}, "callers need a bearer token here, and the container has none"),
        ({"auth": "token", "contract": {"guarded": True}}, {}, "callers need a bearer token here"),
        ({"environment": {"A": "${secrets.B} ${secrets.C}"}}, {"B": "1"}, "needs the secret C, which"),
        ({}, {"PORT": "http"}, "PORT is 'http', and not the number of a port"),
        ({}, {"HOMEPORT_TOKEN_HASH": TOKEN}, "HOMEPORT_TOKEN_HASH is no hash of a token"),
    ],
)
def test_it_says_what_it_lacks(
    start_image: Start, manifest: dict[str, object], environment: dict[str, str], reason: str
) -> None:
    assert reason in last_words(start_image(manifest, **environment))


def test_a_server_that_guards_itself_needs_no_token(start_image: Start) -> None:
    container = serving(start_image({"auth": None, "contract": {"guarded": True}}))
    assert facts(container)["folder"]


def test_a_server_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    python = python_with("mcp>=2")
    container = start(make_image(tmp_path, "import os\nraise ValueError(os.environ['KEY'])\n", python), python)
    with_secret = make_image(
        tmp_path / "other",
        "import os\nraise ValueError(os.environ['KEY'])\n",
        python,
        environment={"KEY": "${secrets.KEY}"},
    )
    assert "KeyError" in last_words(container)
    container = start(with_secret, python, KEY="sesame-1234")
    assert "ValueError: [secret KEY]" in last_words(container)
    assert "sesame" not in container.out.read_text() + container.log.read_text()


def test_a_port_that_is_taken_and_a_folder_that_cannot_be_written(start_image: Start, tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port} cannot be listened on" in last_words(start_image(PORT=port))
    python = python_with("mcp>=2")
    root = make_image(tmp_path / "unwritable", SOURCE, python)
    (root / "var" / "lib").mkdir(parents=True)
    (root / "var" / "lib" / "homeport").touch()
    assert "where the server runs" in last_words(start(root, python))


def test_what_the_server_changed_stays_and_the_rest_is_replaced(tmp_path: Path) -> None:
    from homeport_runtime.hosts.container.files import place

    app, work = tmp_path / "app", tmp_path / "state" / "files"

    def placed(**files: str) -> dict[str, str]:
        hashes = {}
        for name, text in files.items():
            (app / name).parent.mkdir(parents=True, exist_ok=True)
            (app / name).write_text(text)
            hashes[name] = hashlib.sha256(text.encode()).hexdigest()
        work.mkdir(parents=True, exist_ok=True)
        place(app, work, hashes, ["empty"])
        return {path.name: path.read_text() for path in work.iterdir() if path.is_file()}

    assert placed(a="1", b="1", c="1") == {"a": "1", "b": "1", "c": "1"}
    (work / "b").write_text("the server's")
    (work / "d").write_text("the server's")
    assert placed(a="2", b="2", d="2") == {"a": "2", "b": "the server's", "d": "the server's"}
    assert placed(a="2", b="3") == {"a": "2", "b": "the server's", "d": "the server's"}
    assert (work / "empty").is_dir()


def test_what_the_server_raises_is_a_line_of_its_output(start_image: Start) -> None:
    manifest = {"environment": {"KEY": "${secrets.API_KEY}"}}
    given = {"API_KEY": "sesame-1234", "HOMEPORT_PROJECT": "tested", "HOMEPORT_RELEASE": "v7"}
    container = serving(start_image(manifest, **given))
    for _ in range(2):
        assert container.post(call("read"))["result"]["isError"]
    container.post(call("nothing of the kind"))
    wait_for(lambda: len(errors_of(container)) == 2)
    (first, said), (second, _) = errors_of(container)
    assert key_of(first) == key_of(second)
    assert (first.type, first.message, first.name) == ("ValueError", "[secret API_KEY] opens nothing", "read")
    assert first.own[-1]["function"] == "read"
    assert "raise ValueError" in "".join(first.own[-1]["source"])
    assert (said["project"], said["release"]) == ("tested", "v7")
    assert first.request in {each.get("request") for each in container.records()}


def test_a_call_that_ends_the_server_is_an_error_of_its_own(start_image: Start) -> None:
    container = serving(start_image(HOMEPORT_RELEASE="v7"))
    with pytest.raises((OSError, http.client.HTTPException, AssertionError)):
        container.post(call("leave"))
    assert container.process.wait(DEADLINE_S) == 3
    ((error, said),) = errors_of(container)
    assert (error.kind, error.message) == ("crash", "the server's process has ended (exit code 3)")
    assert (error.method, error.name, said["release"]) == ("tools/call", "leave", "v7")
    (record,) = (each for each in container.records() if "call" in each)
    assert read_record(json.dumps(record)), "it is one of those that metrics are made of"
    assert (record["call"]["kind"], record["call"]["tool"], record["request"]) == ("crash", "leave", error.request)


def test_after_a_signal_it_accepts_until_its_callers_have_heard(start_image: Start) -> None:
    container = serving(start_image(HOMEPORT_DRAIN_DELAY_S="3600"))
    answers: list[tuple[int, str]] = []

    def ask_until_the_last() -> None:
        """Asks as a balancer does, which goes on until an answer says that it is its connection's last."""
        while not answers or answers[-1][1] != "close":
            with container.request("POST", "/mcp", call("facts")) as reply:
                reply.rpc()
                answers.append((reply.status, reply.header("connection")))

    callers = [threading.Thread(target=ask_until_the_last) for _ in range(3)]
    for caller in callers:
        caller.start()
    wait_for(lambda: len(answers) > 3)
    assert "close" not in {said for _, said in answers}
    container.process.send_signal(signal.SIGTERM)
    for caller in callers:
        caller.join(DEADLINE_S)
    assert {status for status, _ in answers} == {200}
    assert answers[-1] == (200, "close")
    with container.request("GET", "/health") as reply:
        assert reply.status == 200


def test_a_signal_lets_it_finish(start_image: Start) -> None:
    container = serving(start_image())
    work = container.folder / "var" / "lib" / "homeport" / "files"
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(container.post(call("wait", name="go"))["result"]))
    caller.start()
    wait_for((work / "go.started").exists)
    container.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not is_listening(container.port))
    assert container.process.poll() is None, "a call is under way"
    (work / "go").touch()
    caller.join(DEADLINE_S)
    assert container.process.wait(DEADLINE_S) == 0
    assert [answer["content"][0]["text"] for answer in answers if isinstance(answer, dict)] == ["waited"]


def test_a_signal_ends_streams_before_it_refuses_what_is_posted_for_them(start_image: Start) -> None:
    """Asks while a call is under way on its stream, since an ask for input is answered by another message."""
    container = serving(start_image())
    work = container.folder / "var" / "lib" / "homeport" / "files"
    with session(container) as (stream, path):
        post(container, path, call("wait", request_id=1, name="go"))
        wait_for((work / "go.started").exists)
        container.process.send_signal(signal.SIGTERM)
        # It has heard of its end.
        wait_for(lambda: _says_close(container))
        for number in (2, 3):
            post(container, path, call("facts", request_id=number))
            assert stream.next()["id"] == number
        (work / "go").touch()
        assert stream.next()["id"] == 1
        assert container.process.wait(DEADLINE_S) == 0


def _says_close(container: Container) -> bool:
    with container.request("GET", "/health") as reply:
        return bool(reply.header("connection") == "close")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(start_image: Start, second: signal.Signals) -> None:
    container = serving(start_image())
    work = container.folder / "var" / "lib" / "homeport" / "files"

    def call_in_vain() -> None:
        with pytest.raises((OSError, http.client.HTTPException, AssertionError)):
            container.post(call("wait", name="never"))

    caller = threading.Thread(target=call_in_vain)
    caller.start()
    wait_for((work / "never.started").exists)
    container.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not is_listening(container.port))
    assert container.end(second) == 128 + signal.SIGKILL
    caller.join(DEADLINE_S)


def test_one_that_still_starts_ends_at_the_first_signal(tmp_path: Path) -> None:
    python = python_with("mcp>=2")
    root = make_image(
        tmp_path, "from pathlib import Path\nPath('begun').touch()\nimport time\ntime.sleep(3600)\n", python
    )
    container = start(root, python)
    wait_for((root / "var" / "lib" / "homeport" / "files" / "begun").exists)
    assert container.end() == 128 + signal.SIGTERM


def test_a_server_that_dies_ends_the_container(start_image: Start) -> None:
    container = serving(start_image())
    children = Path(f"/proc/{container.process.pid}/task/{container.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    assert container.process.wait(DEADLINE_S) == 128 + signal.SIGKILL
    assert "the server's process has ended (killed by SIGKILL)" in container.records()[-1]["message"]


def test_the_health_check_knows_whether_it_answers(start_image: Start) -> None:
    container = serving(start_image())

    def check() -> subprocess.CompletedProcess[str]:
        environment = {"PORT": str(container.port)}
        health = command(sys.executable, "health", "")
        return subprocess.run(health, env=environment, capture_output=True, text=True, check=False)

    assert check().returncode == 0
    assert container.end() == 0
    ended = check()
    assert (ended.returncode, "the server does not answer" in ended.stderr) == (1, True)


@pytest.mark.parametrize("text", ["https://mcp.example.com", "mcp.example.com/mcp", "a.example, MCP.example.com:8443"])
def test_names_that_no_request_could_have(text: str) -> None:
    with pytest.raises(ServerError, match="not the name of a host alone") as caught:
        Settings.read({"HOMEPORT_NAMES": text})
    assert caught.value.hint == "HOMEPORT_NAMES=mcp.example.com"


def test_settings() -> None:
    assert Settings.read({}) == Settings(DEFAULT_PORT, None, None, None, (), (), DRAIN_DELAY_S, None)
    both = Settings.read({"HOMEPORT_TOKEN": TOKEN, "HOMEPORT_TOKEN_HASH": "0" * 64, "HOMEPORT_NAMES": "a, b,"})
    assert (both.names, both.token, both.token_hash) == (("a", "b"), TOKEN, f"{'0' * 64},{HASH}")
    for wrong in (
        {"PORT": "0"},
        {"PORT": "65536"},
        {"HOMEPORT_DRAIN_DELAY_S": "-1"},
        {"HOMEPORT_DRAIN_DELAY_S": "nan"},
    ):
        with pytest.raises(ServerError):
            Settings.read(wrong)
