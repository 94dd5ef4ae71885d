"""Starts `homeport inspect`, and reads what the MCP Inspector is given."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.console.chromium import node
from tests.support import ROOT, Platform


@dataclass(frozen=True, slots=True)
class Inspecting:
    """Is a running command: what it has `printed`, and the `url` and `headers` of the server in its Inspector."""

    printed: dict[str, Any]
    url: str
    headers: dict[str, str]


@contextmanager
def inspecting(platform: Platform, *arguments: str) -> Iterator[Inspecting]:
    """Runs the command during the block, ends it by Ctrl-C, and asserts that this is no failure."""
    search = os.pathsep.join((str(node().program.parent), os.environ["PATH"]))
    command = [sys.executable, "-m", "platform_cli", "inspect", *arguments, "--json"]
    environment = {**platform.environment, "PATH": search}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            printed = json.loads(process.stdout.readline())
            (catalog,) = (platform.home / "tmp").glob("inspector-*/catalog.json")
            (server,) = json.loads(catalog.read_text())["mcpServers"].values()
            assert f"serverUrl={server['url']}&" in unquote(printed["inspector"])
            yield Inspecting(printed, server["url"], server["headers"])
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
