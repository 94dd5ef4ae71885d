"""Runs Claude Code from npm, with a home folder of its own and a browser that only says which page it was to open."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.clients import environments
from tests.e2e.probing import wait_for
from tests.support import require

from .person import Person

DEADLINE_S = 120


def programs() -> environments.Node:
    """Returns Node with the programs of package.json in `programs`; skips the test where they cannot be had."""
    try:
        return environments.node(Path(__file__).parent / "programs")
    except environments.UnavailableError as error:
        require(False, str(error))
        raise


@contextmanager
def ended_in_time(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    timer = threading.Timer(DEADLINE_S, process.kill)
    timer.start()
    with process:
        try:
            yield
        finally:
            timer.cancel()
            process.kill()


class ClaudeCode:
    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        node = programs()
        package = node.folder / "node_modules" / "@anthropic-ai" / "claude-code"
        subprocess.run([node.program, "install.cjs"], cwd=package, check=True, capture_output=True)
        self._program = node.folder / "node_modules" / ".bin" / "claude"
        self._opened, browser = folder / "opened", folder / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" > {self._opened}.part\nmv {self._opened}.part {self._opened}\n')
        browser.chmod(0o755)
        self._home = folder / "user"
        self._home.mkdir()
        self._environment = {**environment, "HOME": str(self._home), "BROWSER": str(browser), "DISPLAY": ":0"}

    def mcp(self, *arguments: str) -> str:
        return subprocess.run(
            [self._program, "mcp", *arguments],
            env=self._environment,
            cwd=self._home,
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE_S,
        ).stdout

    def sign_in(self, server: str, person: Person) -> str:
        """Signs `person` in to a server that was added, and returns the page that was opened."""
        # It signs people in at a terminal only.
        ours, its = pty.openpty()
        command: list[str | Path] = [self._program, "mcp", "login", server]
        process = subprocess.Popen(command, env=self._environment, cwd=self._home, stdin=its, stdout=its)
        with ended_in_time(process):
            os.close(its)
            wait_for(self._opened.exists)
            page = self._opened.read_text().strip()
            person.go_through(page)
            assert process.wait() == 0
        os.close(ours)
        return page
