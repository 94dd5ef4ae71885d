"""The same function under runtimes that are not ours: AWS's own for Python, and as the command of an image."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.aws.function_url import FunctionURL

from ...support import require
from ..conftest import call
from .lambda_functions import lay_out
from .test_lambda_host import TOOLS, ask

HANDLER = "homeport_runtime.hosts.lambda_buffered.handler"


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
    [(("-m", "awslambdaric", HANDLER), False), (("-m", "homeport_runtime.hosts.lambda_host"), True)],
    ids=["awslambdaric", "image"],
)
def test_it_answers_under(command: tuple[str, ...], streamed: bool, tmp_path: Path) -> None:
    with run_by(tmp_path, *command) as front:
        answer = ask(front, call("where"))
        assert answer["result"]["content"][0]["text"] == "/tmp/homeport/files x hello"
        assert front.answers[-1].streamed is streamed
