"""Tests the same function under what is not ours: AWS's own for Python, AWS's own emulator, an image's command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.aws import rie
from tests.aws.function_url import FunctionURL, make_event
from tests.clients.environments import UnavailableError

from ....support import require
from ...conftest import BOTH, call
from .lambda_functions import lay_out
from .test_host import TOOLS, ask

READY = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}'
HANDLER = "homeport_runtime.hosts.aws_lambda.buffered.handler"


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


@contextmanager
def run_by(folder: Path, *command: str) -> Iterator[FunctionURL]:
    function = lay_out(
        folder,
        TOOLS,
        "mcp>=2",
        "awslambdaric",
        variables={"PYTHONPATH": "/opt/python"},
        environment={"GREETING": "hello"},
    )
    front = FunctionURL(replace(function, command=(str(function.interpreter), *command)), folder)
    try:
        yield front
    finally:
        front.close()


@pytest.mark.parametrize(
    ("command", "streamed"),
    [(("-m", "awslambdaric", HANDLER), False), (("-m", "homeport_runtime.hosts.aws_lambda.host"), True)],
    ids=["awslambdaric", "image"],
)
def test_it_answers_under(command: tuple[str, ...], streamed: bool, tmp_path: Path) -> None:
    with run_by(tmp_path, *command) as front:
        answer = ask(front, call("where"))
        assert answer["result"]["content"][0]["text"] == "/tmp/homeport/files x hello"
        assert front.answers[-1].streamed is streamed


def test_it_streams_under_awss_own_emulator(tmp_path: Path) -> None:
    function = lay_out(tmp_path, TOOLS, "mcp>=2", environment={"GREETING": "hello"})
    asked = json.dumps(call("where")).encode()
    try:
        with rie.running(function, tmp_path) as judge:
            for _ in range(2):
                prelude, body = judge.invoke(make_event("POST", "/mcp", BOTH, asked))
                assert prelude["statusCode"] == 200
                assert b"/tmp/homeport/files x hello" in body
            prelude, body = judge.invoke(make_event("POST", "/mcp", BOTH, READY))
            assert (prelude["statusCode"], body) == (202, b"\n")
            prelude, _ = judge.invoke(make_event("POST", "/mcp", {**BOTH, "host": "evil.example"}, asked))
            assert prelude["statusCode"] == 421
    except UnavailableError as error:
        require(False, str(error))
