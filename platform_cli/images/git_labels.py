"""Says from which commit of which repository an image was made, in the labels that registries and scanners read
(https://github.com/opencontainers/image-spec/blob/main/annotations.md).
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from .image_config import STANDARD_LABELS

TIMEOUT_S = 10.0
# What follows the commit where files differ from it.
DIRTY = "-dirty"
# An address as scp writes it (git-clone(1), "GIT URLS"): git@github.com:you/server.git.
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")


def git_labels(folder: Path) -> dict[str, str]:
    """Returns the labels of a project in `folder`: none without git, or where none of its files is in a repository."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit or not _git(folder, "ls-files", "--", "."):
        return {}
    # None if it takes too long to say.
    differs = _git(folder, "status", "--porcelain", "--", ".") != ""
    source = _address(_git(folder, "remote", "get-url", "origin") or "")
    labels = {"revision": f"{commit}{DIRTY if differs else ''}", "source": source}
    return {f"{STANDARD_LABELS}{name}": text for name, text in labels.items() if text}


def _git(folder: Path, *command: str) -> str | None:
    """Returns what git prints, None if it fails."""
    try:
        done = subprocess.run(
            # A program that the repository names for it would be run.
            ["git", "-c", "core.fsmonitor=false", *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _address(remote: str) -> str:
    """Returns where people find a repository, without what opens it; empty for one on this machine."""
    if "://" in remote:
        try:
            parts = urlsplit(remote)
            host, path = parts.hostname, parts.path
        except ValueError:
            return ""
        if parts.scheme not in ("https", "http", "ssh", "git"):
            return ""
    elif match := _SCP.fullmatch(remote):
        host, path = match["host"], f"/{match['path']}"
    else:
        return ""
    return f"https://{host}{path.rstrip('/').removesuffix('.git')}" if host else ""
