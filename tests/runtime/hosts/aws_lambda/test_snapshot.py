"""Tests SnapStart in the emulator: what is in the snapshot, and what each copy has of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.aws.function_url import FunctionURL, make_event
from tests.aws.mailbox import DynamoDB, dynamodb
from tests.aws.moto_server import moto

from ....support import require
from ...conftest import call, wait_for
from .lambda_functions import lay_out
from .test_host import ask, request

__all__ = ["dynamodb", "moto"]

# As a module would be that draws numbers while it is imported: all copies go on from there.
SERVER = """
import contextlib, random, threading
from mcp.server import MCPServer

print("imported beside", [thread.name for thread in threading.enumerate()])
random.seed(1)

@contextlib.asynccontextmanager
async def lifespan(server):
    print("its lifespan")
    LIFESPAN
    yield

make = MCPServer.__init__

def made(self, name, *arguments, **more):
    print("made", name)
    make(self, name, *arguments, **more)

MCPServer.__init__ = made
mcp = MCPServer("snapped", lifespan=lifespan)

@mcp.tool()
def draw() -> str:
    return str(random.random())
"""


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


@contextmanager
def function(
    folder: Path, dynamodb: DynamoDB, kind: str = "snap-start", lifespan: str = "pass"
) -> Iterator[FunctionURL]:
    variables = {
        **dynamodb.environment,
        "HOMEPORT_MAILBOX_TABLE": dynamodb.table(),
        "AWS_LAMBDA_INITIALIZATION_TYPE": kind,
    }
    laid_out = lay_out(folder, SERVER.replace("LIFESPAN", lifespan), "mcp>=2", variables=variables)
    (laid_out.task / "discovery.json").write_text(json.dumps({"answers": {}, "kept": []}))
    front = FunctionURL(laid_out, folder)
    try:
        yield front
    finally:
        front.close()


def drawn(front: FunctionURL) -> str:
    text: str = ask(front, call("draw"))["result"]["content"][0]["text"]
    return text


def test_copies_have_a_lifespan_and_random_numbers_of_their_own(dynamodb: DynamoDB, tmp_path: Path) -> None:
    with function(tmp_path, dynamodb) as front:
        first = front.sandbox()
        wait_for(lambda: first.snapped.is_set() or first.init_error)
        log = front.log.read_text()
        assert ("imported beside" in log, "its lifespan" in log, "'events'" in log) == (True, False, False)
        assert "made rehearsal" in log, "what the SDK makes on first use is in the snapshot"
        before = drawn(front)
        assert "its lifespan" in front.log.read_text()
        front.fresh = True
        assert drawn(front) != before
        assert len(front.sandboxes) == 2


def test_copies_do_not_share_connections(dynamodb: DynamoDB, tmp_path: Path) -> None:
    with function(tmp_path, own := DynamoDB(dynamodb.moto)) as front:
        first = front.sandbox()
        wait_for(lambda: first.snapped.is_set() or first.init_error)
        before = set(own.connections)
        with request(front, "GET", "/sse") as stream:
            assert stream.event()[0] == "endpoint"
            assert before == set(), "nothing is asked of a table before its copies are"
    own.close()


def test_a_lifespan_that_fails_is_the_restores_error(dynamodb: DynamoDB, tmp_path: Path) -> None:
    with function(tmp_path, dynamodb, lifespan="raise OSError('no database')") as front:
        front.invoke(make_event("GET", "/health", {"host": "localhost"}, b""))
        error = wait_for(lambda: front.sandboxes[0].init_error)
        assert (error["phase"], "no database" in error["errorMessage"]) == ("restore", True)


@pytest.mark.parametrize(("kind", "answers"), [("on-demand", True), ("provisioned-concurrency", False)])
def test_only_who_is_waited_for_answers_before_the_server_is_there(
    dynamodb: DynamoDB, tmp_path: Path, kind: str, answers: bool
) -> None:
    """An instance that asks for events is ready, and stands still until one comes."""
    with function(tmp_path, dynamodb, kind) as front:
        drawn(front)
        (line,) = (line for line in front.log.read_text().splitlines() if "imported beside" in line)
        assert ("'events'" in line) is answers
