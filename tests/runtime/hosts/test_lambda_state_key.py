"""A client's second request may reach another instance than the one that asked for more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.aws.function_url import FunctionURL
from tests.aws.mailbox import DynamoDB, dynamodb
from tests.aws.moto_server import moto

from ...support import require
from ..conftest import JSON, message
from ..servers.test_traps import ASKS, MODERN_META
from ..workers import MCP2
from .lambda_functions import lay_out
from .test_lambda_host import ask

__all__ = ["dynamodb", "moto"]


@pytest.fixture(autouse=True, scope="module")
def _root() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


def greet(front: FunctionURL, more: JSON | None = None) -> JSON:
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "greet"}
    params = {"name": "greet", "arguments": {}, "_meta": MODERN_META, **(more or {})}
    return ask(front, message("tools/call", params), headers)


def test_what_one_instance_has_sealed_another_opens(dynamodb: DynamoDB, tmp_path: Path) -> None:
    table = dynamodb.table()
    variables = {**dynamodb.environment, "HOMEPORT_MAILBOX_TABLE": table}
    front = FunctionURL(lay_out(tmp_path, MCP2 + ASKS, "mcp>=2", variables=variables), tmp_path)
    front.fresh = True
    try:
        asked = greet(front)["result"]
        assert asked["resultType"] == "input_required", asked
        question = next(iter(asked["inputRequests"]))
        answers = {question: {"action": "accept", "content": {"name": "Ada"}}}
        answered = greet(front, {"requestState": asked["requestState"], "inputResponses": answers})
        assert answered["result"]["content"][0]["text"] == "hello Ada"
        (item,) = dynamodb.items(table)
        assert item["sealing"]["S"] not in front.log.read_text()
        assert len(front.sandboxes) == 2
    finally:
        front.close()
