"""Tests secrets in a function: they are fetched before the server's module is imported, and shown nowhere."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from platform_cli.targets.log_errors import RECORD
from platform_cli.telemetry.error_event import read_error
from tests.aws.conftest import moto
from tests.aws.function_url import FunctionURL, make_event
from tests.aws.moto_server import Moto
from tests.aws.sandbox import DEADLINE_S

from ....support import require
from ...conftest import JSON, call, wait_for
from ...workers import REQUIREMENTS, Workers, kind_source
from .lambda_functions import lay_out
from .test_discovery import heard, recorded
from .test_host import ask

__all__ = ["moto"]

VALUE, STATE_KEY = "correct-horse-battery", "5a" * 32
HELLO = {"method": "initialize", "id": 1, "params": {"protocolVersion": "2025-11-25", "capabilities": {}}}
SERVER = """
import os, subprocess
from mcp.server import MCPServer

print("connecting to", os.environ["URL"])
subprocess.run(["sh", "-c", "echo from a child: $URL; echo and on stderr: $URL >&2; printf 'no end: '$URL"])
mcp = MCPServer("secrets")

@mcp.tool()
def password() -> str:
    os.write(2, os.environ["URL"].encode() + b" straight\\n")
    reserved = [name for name in ("HOMEPORT_STATE_KEY", "HOMEPORT_HISTORY") if name in os.environ]
    return f"{os.environ['URL']} {reserved}"

@mcp.tool()
def crash() -> str:
    raise ValueError("no database at " + os.environ["URL"])
"""
FAILS = "import os\nraise ValueError('no database at ' + os.environ['URL'])\n"


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


@pytest.fixture(scope="module")
def variables(moto: Moto) -> dict[str, str]:
    """Returns the variables of a function whose project has a secret."""
    held = {"WORD": VALUE, "HOMEPORT_STATE_KEY": STATE_KEY, "HOMEPORT_HISTORY": "{}"}
    client = moto.client("secretsmanager")
    made = client.create_secret(Name="homeport/host", SecretString=json.dumps(held))
    client.put_secret_value(SecretId="homeport/host", SecretString=json.dumps({"WORD": "another"}))
    pinned = {"HOMEPORT_SECRET_ARN": made["ARN"], "HOMEPORT_SECRET_VERSION": made["VersionId"]}
    return {**moto.environment, **pinned}


@contextmanager
def running(folder: Path, source: str, variables: dict[str, str], **more: Any) -> Iterator[FunctionURL]:
    environment = {"URL": "postgres://u:${secrets.WORD}@db/x"}
    function = lay_out(folder, source, "mcp>=2", variables=variables, environment=environment, **more)
    with closing(FunctionURL(function, folder)) as front:
        yield front


def init_error(front: FunctionURL) -> JSON:
    front.invoke(make_event("GET", "/health", {}, b""))
    error: JSON = wait_for(lambda: front.sandboxes[0].init_error)
    return error


def test_the_server_has_it_and_the_log_has_not(variables: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path, SERVER, variables) as front:
        assert ask(front, call("password"))["result"]["content"][0]["text"] == f"postgres://u:{VALUE}@db/x []"
        wait_for(lambda: not front.sandboxes[0].busy)
        assert ask(front, call("password"))["result"]["content"][0]["text"] == f"postgres://u:{VALUE}@db/x []"
        # What the first call wrote is there when the second event is taken.
        log = front.log.read_text()
    assert VALUE not in log
    for line in ("connecting to {}", "from a child: {}", "and on stderr: {}", "{} straight"):
        assert line.format("postgres://u:[secret WORD]@db/x") in log


def test_an_error_has_a_record_without_it(variables: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path, SERVER, variables) as front:
        assert ask(front, call("crash"))["result"]["isError"]
        log = front.log.read_text()
    assert VALUE not in log
    (line,) = (line for line in log.splitlines() if line.startswith(RECORD))
    error = read_error(line.encode())
    assert error is not None
    assert (error.type, error.message) == ("ValueError", "no database at postgres://u:[secret WORD]@db/x")
    assert (error.method, error.name) == ("tools/call", "crash")
    (frame,) = error.own
    assert (frame["file"], frame["function"]) == ("server.py", "crash")
    assert any("raise ValueError" in line for line in frame["source"])


def test_why_it_does_not_start_is_told_without_it(variables: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path, FAILS, variables) as front:
        error = init_error(front)
    assert "no database at postgres://u:[secret WORD]@db/x" in error["errorMessage"]
    assert VALUE not in json.dumps(error) + front.log.read_text()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"HOMEPORT_SECRET_VERSION": "0" * 36}, "ResourceNotFoundException: GetSecretValue"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "NotReachable"),
    ],
)
def test_a_secret_that_cannot_be_read_is_the_functions_error(
    variables: dict[str, str], tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    with running(tmp_path, SERVER, {**variables, **changed}) as front:
        message = init_error(front)["errorMessage"]
    assert said in message
    assert f"the function's role needs secretsmanager:GetSecretValue on {variables['HOMEPORT_SECRET_ARN']}" in message


def test_who_only_looks_does_not_wait_for_it(workers: Workers, tmp_path: Path) -> None:
    """Secrets Manager does not answer before everything that was recorded has been."""
    kind = "mcp2_lowlevel"
    discovery = recorded(workers, kind)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:homeport/slow-abcdef"
        variables = {
            **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "x"),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "HOMEPORT_SECRET_ARN": arn,
        }
        environment = {"GREETING": "${secrets.WORD}"}
        function = lay_out(
            tmp_path, kind_source(kind), REQUIREMENTS[kind], variables=variables, environment=environment
        )
        (function.task / "discovery.json").write_text(json.dumps(discovery))
        with closing(FunctionURL(function, tmp_path)) as front:
            # A sandbox that freezes would stand still before it asks.
            front.freezes = False
            front.sandbox()
            asked, _ = listener.accept()
            assert heard(front, {}, HELLO, 1)[0] == 200
            assert b"inputSchema" in heard(front, {}, {"method": "tools/list", "id": 2, "params": {}}, 2)[2]
            with closing(asked):
                body = json.dumps({"SecretString": json.dumps({"WORD": VALUE})}).encode()
                asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                assert VALUE in ask(front, call("whoami"))["result"]["content"][0]["text"]
            assert len(front.sandboxes) == 1
