"""Tests what the model in Claude Code is told of our refusals, on /mcp and on /sse."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import Platform, require

from . import environments
from .model import Model, serving
from .test_refusals import BRIDGE, TRANSPORTS, url

__all__ = ("url",)

pytestmark = pytest.mark.whole

DEADLINE_S = 240
# Calls, and what is told of each: of an HTTP error the whole body, of one on a stream the message alone.
CALLS: tuple[tuple[str, dict[str, Any], dict[str, str]], ...] = (
    ("remember", {"text": "x"}, {"/mcp": "remember needs the scope notes:write", "/sse": "-32001: Forbidden"}),
    ("add", {"a": 1, "b": 2}, dict.fromkeys(TRANSPORTS, "3")),
    ("recall", {}, dict.fromkeys(TRANSPORTS, "No such file")),
    ("recall", {}, {"/mcp": "1 call of recall per hour", "/sse": "-32000: Too many requests"}),
    ("slow", {"steps": 2, "token": "nobodys"}, dict.fromkeys(TRANSPORTS, "-32000: Server error")),
    ("add", {"a": 2, "b": 2}, dict.fromkeys(TRANSPORTS, "4")),
)


@pytest.fixture(scope="module")
def claude() -> Path:
    try:
        node = environments.node(BRIDGE)
    except environments.UnavailableError as error:
        require(False, str(error))
        raise
    package = node.folder / "node_modules" / "@anthropic-ai" / "claude-code"
    subprocess.run([node.program, "install.cjs"], cwd=package, check=True, capture_output=True)
    return node.folder / "node_modules" / ".bin" / "claude"


def run(claude: Path, home: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [claude, *arguments],
        env={**os.environ, "HOME": str(home), **environment},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_model_hears_why(claude: Path, platform: Platform, url: str, transport: str, tmp_path: Path) -> None:
    client = ("--client", f"claude-{transport[1:]}", "--scope", "notes:read")
    token = platform.run("token", "create", "refusing", *client)["token"]
    kind = "sse" if transport == "/sse" else "http"
    server = {"type": kind, "url": f"{url}{transport}", "headers": {"Authorization": f"Bearer {token}"}}
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"notes": server}}))
    model = Model([(f"mcp__notes__{tool}", arguments) for tool, arguments, _ in CALLS])
    options = ("--mcp-config", str(config), "--strict-mcp-config", "--allowedTools", "mcp__notes")
    with serving(model) as base:
        keys = {"ANTHROPIC_BASE_URL": base, "ANTHROPIC_API_KEY": "none", "ENABLE_TOOL_SEARCH": "false"}
        quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
        said = run(claude, tmp_path, "-p", "go on", *options, **keys, **quiet)
    assert "done" in said, said
    heard = [wanted[transport] in told for (_, _, wanted), told in zip(CALLS, model.told, strict=True)]
    assert heard == [True] * len(CALLS), model.told


def test_a_token_that_is_not_known_is_said_at_once(claude: Path, url: str, tmp_path: Path) -> None:
    header = ("--header", "Authorization: Bearer nobodys")
    run(claude, tmp_path, "mcp", "add", "--transport", "http", "notes", f"{url}/mcp", *header)
    assert "Connected" not in run(claude, tmp_path, "mcp", "list")
