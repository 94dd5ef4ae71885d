"""Runs the command line of the MCP Inspector, which has a person sign in when a server wants that."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from tests.clients import environments
from tests.clients.matrix import client_env
from tests.support import free_port

from .person import Person

DEADLINE_S = 120


class Inspector:
    """Uses the server at `url`, and keeps what it knows in `home`; `options` are more options of its own."""

    def __init__(self, url: str, home: Path, environment: Mapping[str, str], *options: str) -> None:
        client_env("inspector")
        node = environments.node()
        program = node.folder / "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
        localhost: list[str | Path] = ["--import", node.scripts / "finds_localhost.mjs"]
        callback = f"http://127.0.0.1:{free_port()}/oauth/callback"
        common = ["--cli", url, "--transport", "http", "--format", "json", "--callback-url", callback]
        self._command: list[str | Path] = [node.program, *localhost, program, *common, *options]
        # Without a terminal it signs nobody in unless it may open a browser, which is none here.
        asked = {"HOME": str(home), "BROWSER": "true", "MCP_AUTO_OPEN_ENABLED": "true"}
        self._environment = {**environment, **asked}

    def call(self, tool: str, person: Person) -> tuple[str, str]:
        """Returns the page that the person had to open for a call without arguments, and the text that it answered."""
        command = [*self._command, "--method", "tools/call", "--tool-name", tool]
        page, said = "", []
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, env=self._environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout
            timer = threading.Timer(DEADLINE_S, process.kill)
            timer.start()
            try:
                for line in process.stdout:
                    said.append(line)
                    if found := re.search(r"https?://\S+/authorize\?\S+", line):
                        page = found[0]
                        person.go_through(page)
            finally:
                timer.cancel()
                process.kill()
        assert said and said[-1].startswith('{"result"'), "".join(said)
        return page, json.loads(said[-1])["result"]["content"][0]["text"]
