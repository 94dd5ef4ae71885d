"""Finds branches of git that have moved since a lock was made."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from ..config.inline_metadata import inline_metadata
from .model import Requirements
from .pyproject import load_toml
from .uv import mask

TIMEOUT_S = 10.0

_REFERENCE = re.compile(r"git\+(?P<url>[a-z+]+://[^\s;#]+)")
_LOCKED = re.compile(r"(?m)^(?P<name>[\w.-]+)(?:\[[^\]]*\])? @ git\+(?P<url>\S+?)@(?P<commit>[0-9a-f]{40})")
_COMMIT = re.compile(r"[0-9a-f]{7,40}$")


@dataclass(frozen=True, slots=True)
class _Asked:
    """Names a repository and the branch, tag or commit, or HEAD, that was asked for."""

    url: str
    reference: str


def moved_branches(requirements: Requirements, lock: str) -> Iterator[str]:
    """Yields one sentence for each branch or tag of `requirements` whose commit is no longer the one in `lock`, a
    lock's text.

    It asks the repositories over the network, and skips those that do not answer. A uv.lock is meant to keep its
    commits, so it is not checked.
    """
    if requirements.file and requirements.file.lock:
        return
    asked = {_normal(found.url): found for found in _asked(requirements)}
    for locked in _LOCKED.finditer(lock):
        wanted = asked.get(_normal(locked["url"]))
        if wanted is None or _COMMIT.match(wanted.reference):
            continue
        now = _commit(wanted)
        if now and now != locked["commit"]:
            name, old = locked["name"], locked["commit"][:7]
            yield (
                f"{name}: {wanted.reference} of {mask(wanted.url)} has moved from {old} to {now[:7]}; "
                f"`homeport deploy --upgrade {name}` takes it"
            )


def _asked(requirements: Requirements) -> Iterator[_Asked]:
    yield from _in(requirements.text.splitlines())
    if requirements.file is not None:
        file = requirements.file.root / requirements.file.path
        if file.suffix == ".toml":
            yield from _in(load_toml(file))
        elif file.name != "setup.py":
            yield from _in(inline_metadata(file, requirements.file.path))


def _in(data: object) -> Iterator[_Asked]:
    """Yields the repositories in requirements (`x @ git+URL@REF`), and in tables of uv and poetry (`{git = URL, branch
    = REF}`).
    """
    if isinstance(data, str):
        for found in _REFERENCE.finditer(data):
            # An `@` before the path belongs to a user's name.
            path = found["url"].partition("://")[2].partition("/")[2]
            reference = path.rpartition("@")[2] if "@" in path else ""
            yield _Asked(found["url"].removesuffix(f"@{reference}") if reference else found["url"], reference or "HEAD")
    elif isinstance(data, dict):
        if isinstance(url := data.get("git"), str):
            yield _Asked(url, str(data.get("branch") or data.get("tag") or data.get("rev") or "HEAD"))
        yield from (found for value in data.values() for found in _in(value))
    elif isinstance(data, list):
        yield from (found for value in data for found in _in(value))


def _normal(url: str) -> str:
    return re.sub(r"^[a-z+]+://(?:[^@/]+@)?", "", url).rstrip("/").removesuffix(".git")


def _commit(asked: _Asked) -> str | None:
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
    try:
        answer = subprocess.run(
            ["git", "ls-remote", "--", asked.url, asked.reference, f"{asked.reference}^{{}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=environment,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = {name: commit for commit, _, name in (line.partition("\t") for line in answer.splitlines())}
    names = (
        f"refs/tags/{asked.reference}^{{}}",
        f"refs/tags/{asked.reference}",
        f"refs/heads/{asked.reference}",
        "HEAD",
    )
    return next((found[name] for name in names if name in found), None)
