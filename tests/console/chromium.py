"""Drives a headless Chromium from Python, a few lines of JavaScript at a time (browser/drive.mjs)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients import environments
from tests.support import require

HERE = Path(__file__).parent / "browser"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Chromium:
    """Is a browser with one page."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, script: str) -> Any:
        """Runs the body of a function that has `page`, `context` and `seen`, and returns what that returns."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(script) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, f"{answer['error']}\n{script}"
        return answer["result"]

    def text(self, selector: str) -> str:
        """Returns the text of what a selector finds, once it is there."""
        found: str = self.run(f"return await page.locator({json.dumps(selector)}).first().innerText()")
        return found

    def wait(self, selector: str) -> None:
        self.run(f"await page.waitForSelector({json.dumps(selector)})")


def node() -> environments.Node:
    """Returns Node with what drives a browser; the test is skipped where there is neither."""
    require(CHROMIUM, "chromium is not installed")
    try:
        return environments.node(HERE)
    except environments.UnavailableError as error:
        require(False, str(error))
        raise


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Starts a browser; the test is skipped where there is none, or no Node for it."""
    found = node()
    process = subprocess.Popen(
        [found.program, found.scripts / "drive.mjs", str(CHROMIUM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Chromium(process)
        finally:
            # It closes the browser at the end of its input.
            process.communicate(timeout=60)
