"""Tests a client's second request that reaches another instance than the one which asked for more."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest

from homeport_runtime.aws.dynamodb import Table
from homeport_runtime.hosts.aws_lambda.state_key import StateKey, shared_salt
from tests.aws.function_url import FunctionURL
from tests.aws.mailbox import DynamoDB, dynamodb
from tests.aws.moto_server import moto

from ....support import require
from ...conftest import JSON, message
from ...servers.test_traps import ASKS, MODERN_META
from ...workers import MCP2
from .lambda_functions import lay_out
from .test_host import ask
from .test_sse import AUTHORIZATION, TOKEN_HASH

__all__ = ["dynamodb", "moto"]


@pytest.fixture(autouse=True, scope="module")
def _root() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


def greet(front: FunctionURL, more: JSON | None = None) -> JSON:
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "greet", **AUTHORIZATION}
    params = {"name": "greet", "arguments": {}, "_meta": MODERN_META, **(more or {})}
    return ask(front, message("tools/call", params), headers)


def answered(asked: JSON) -> JSON:
    question = next(iter(asked["inputRequests"]))
    answers = {question: {"action": "accept", "content": {"name": "Ada"}}}
    return {"requestState": asked["requestState"], "inputResponses": answers}


def test_what_one_instance_has_sealed_another_opens(dynamodb: DynamoDB, tmp_path: Path) -> None:
    table = dynamodb.table()
    variables = {**dynamodb.environment, "HOMEPORT_MAILBOX_TABLE": table, "HOMEPORT_TOKEN_HASH": TOKEN_HASH}
    front = FunctionURL(lay_out(tmp_path, MCP2 + ASKS, "mcp>=2", variables=variables), tmp_path)
    front.fresh = True
    try:
        asked = greet(front)["result"]
        assert asked["resultType"] == "input_required", asked
        again = greet(front, answered(asked))
        assert again["result"]["content"][0]["text"] == "hello Ada"
        (item,) = dynamodb.items(table)
        assert item["salt"]["S"] not in front.log.read_text()
        assert len(front.sandboxes) == 2
    finally:
        front.close()


def test_who_reads_the_table_cannot_make_the_key(dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    with closing(Table(dynamodb.table())) as table:
        shared, again = (StateKey(table, lambda: "token")() for _ in range(2))
        salt = shared_salt(table)
        assert shared == again != salt
        assert StateKey(table, lambda: "another")() != shared
        assert StateKey(table, lambda: "")() != salt
        unknown = StateKey(table, lambda: None)
        assert unknown() == unknown()
        assert unknown() not in (shared, salt)


def test_a_table_that_does_not_answer_holds_no_start_and_no_call_for_long(dynamodb: DynamoDB, tmp_path: Path) -> None:
    """As in a VPC without an endpoint for DynamoDB: connections are taken, and nothing comes."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = {
            **dynamodb.environment,
            "AWS_ENDPOINT_URL_DYNAMODB": address,
            "HOMEPORT_MAILBOX_TABLE": "unreachable",
        }
        # With the patience of a client of AWS, the call would outlive the function.
        function = lay_out(tmp_path, MCP2 + ASKS, "mcp>=2", variables=variables, timeout_s=30)
        with closing(FunctionURL(function, tmp_path)) as front:
            assert ask(front, message("tools/list"))["result"]["tools"]
            silent.setblocking(False)
            with pytest.raises(BlockingIOError):
                silent.accept()
            asked = greet(front)["result"]
            again = greet(front, answered(asked))
            assert "result" in again, (again, front.log.read_text())
            assert again["result"]["content"][0]["text"] == "hello Ada", "its own key does for one instance"
            assert "no answer from DynamoDB" in front.log.read_text()
