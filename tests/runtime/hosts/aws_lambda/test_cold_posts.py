"""Tests that a message over HTTP+SSE need not wait for the instance that it reaches to start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.aws.mailbox import DynamoDB, dynamodb
from tests.aws.moto_server import moto

from ....support import require
from ...conftest import call, message
from ...workers import Workers
from .test_discovery import gated, recorded
from .test_host import request
from .test_sse import AUTHORIZATION, HELLO, TOKEN_HASH, post

__all__ = ["dynamodb", "moto"]


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


def test_it_is_handed_over_before_the_server_is_imported(workers: Workers, dynamodb: DynamoDB, tmp_path: Path) -> None:
    discovery, table = recorded(workers, "mcp2_lowlevel"), {"HOMEPORT_MAILBOX_TABLE": dynamodb.table()}
    settings = {**dynamodb.environment, **table}
    with gated(tmp_path, "mcp2_lowlevel", discovery, TOKEN_HASH, settings) as (front, gate):
        gate.close()
        with request(front, "GET", "/sse", headers=AUTHORIZATION) as stream:
            path = stream.event()[1]
            # No other sandbox comes through the gate while this one has the stream.
            assert post(front, path, message("initialize", HELLO, 0)) == 202
            assert stream.next()["id"] == 0
            assert post(front, path, {"jsonrpc": "2.0", "method": "notifications/initialized"}) == 202
            assert post(front, path, call("add", request_id=1, a=1, b=2)) == 202
            assert stream.next()["result"]["content"][0]["text"] == "3"
            assert len(front.sandboxes) == 2
