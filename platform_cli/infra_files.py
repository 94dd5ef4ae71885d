"""The files under infra/: inside the package when it is installed, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def infra_file(name: str) -> Path:
    """The file `name`, such as `caddy/Caddyfile`."""
    installed = PACKAGE / "infra"
    return (installed if installed.is_dir() else PACKAGE.parent / "infra") / name
