"""Lists what a server offers, as a client sees it that is not ours: the mcp SDK's, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.clients import environments

DEADLINE_S = 90.0

# A tool's name to its input schema.
Tools = dict[str, Any]


class NotListedError(Exception):
    """Says that the client was not told the server's tools; the message is the last that client or server said."""


def over_stdio(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> Tools:
    """Raises NotListedError."""
    return _listed("stdio", *command, cwd=cwd, env=env)


def over_http(url: str) -> Tools:
    """Lists over streamable HTTP. Raises NotListedError."""
    return _listed("http", url)


def over_sse(url: str) -> Tools:
    """Lists over HTTP+SSE. Raises NotListedError."""
    return _listed("sse", url)


def difference(by_hand: Tools, deployed: Tools) -> str:
    """Returns what differs between the two, in words; empty if nothing does."""
    missing = sorted(by_hand.keys() - deployed.keys())
    added = sorted(deployed.keys() - by_hand.keys())
    changed = sorted(name for name in by_hand.keys() & deployed.keys() if by_hand[name] != deployed[name])
    parts = {"missing": missing, "added": added, "other input schema": changed}
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)


def _listed(*arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Tools:
    command = [environments.python("mcp1"), environments.HERE / "run_list.py", *arguments]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, cwd=cwd, env=env, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotListedError(f"no answer within {DEADLINE_S:.0f} s") from error
    if ran.returncode != 0:
        raise NotListedError(last_words(ran.stderr))
    tools: Tools = json.loads(ran.stdout.splitlines()[-1])
    return tools


def last_words(stderr: str) -> str:
    """Returns the last line that says something: an exception group's frames are lines, too."""
    lines = [line.strip(" |+-") for line in stderr.splitlines()]
    return next((line for line in reversed(lines) if line), "it ended without a word")
