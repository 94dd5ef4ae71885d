"""Finds the files of infra/, which are inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def infra_file(name: str) -> Path:
    """Returns the path of the file `name` in infra/, such as `caddy/Caddyfile`."""
    installed = PACKAGE / "infra"
    return (installed if installed.is_dir() else PACKAGE.parent / "infra") / name
