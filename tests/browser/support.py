"""Runs the scripts beside it, each a journey through the console in a headless Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.clients import environments
from tests.support import Platform, require

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DEADLINE_S = 300


def node() -> environments.Node:
    """Returns Node with Playwright. Skips the test without it, and without Chromium."""
    require(CHROMIUM, "chromium is not installed")
    try:
        return environments.node(HERE)
    except environments.UnavailableError as error:
        require(False, str(error))
        raise


def login_link(platform: Platform) -> str:
    """Returns a link that signs one browser in, once."""
    return str(platform.run("console")["url"])


def seen_by(script: str, *arguments: str) -> dict[str, Any]:
    """Runs a script, and returns what it has seen."""
    found = node()
    done = subprocess.run(
        [found.program, found.scripts / script, str(CHROMIUM), *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
