"""Tests the audit log of a function: each instance prints its lines, bound to each other."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from platform_cli.audit.instances import is_line, verify_instances
from tests.aws.function_url import FunctionURL

from ....support import require
from ...conftest import call, wait_for
from ...workers import MCP2
from .lambda_functions import lay_out
from .test_host import request

TOKEN = "tested-token"
SOURCE = MCP2 + '\n@mcp.tool()\ndef note(text: str, password: str = "") -> str:\n    return "noted"\n\nmcp.run()\n'


def test_each_call_has_a_line(tmp_path: Path) -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")
    variables = {
        "HOMEPORT_TOKEN_HASH": hashlib.sha256(TOKEN.encode()).hexdigest(),
        "HOMEPORT_PROJECT": "tested",
        "HOMEPORT_RELEASE": "v3",
    }
    front = FunctionURL(lay_out(tmp_path, SOURCE, "mcp>=2", variables=variables), tmp_path)

    def post(token: str | None) -> int:
        body = json.dumps(call("note", text="hello", password="hidden")).encode()
        headers = {"authorization": f"Bearer {token}"} if token else {}
        with request(front, "POST", "/mcp", body, headers) as reply:
            return reply.status

    def lines() -> list[bytes]:
        return [line.encode() for line in front.log.read_text().splitlines() if is_line(line)]

    try:
        assert [post(TOKEN), post(None), post(TOKEN)] == [200, 401, 200]
        wait_for(lambda: len(lines()) == 3)
    finally:
        front.close()
    called, refused, _ = map(json.loads, lines())
    assert (called["tool_name"], called["result"], called["project"], called["release"]) == (
        "note", "success", "tested", "v3",
    )  # fmt: skip
    assert called["arguments"] == {"text": "hello", "password": "[redacted]"}
    assert (refused["result"], refused["client_id"]) == ("unauthorized", None)
    assert verify_instances("tested", lines())["ok"]
