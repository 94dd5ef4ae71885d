"""Says which paths are the console's own, before it is loaded."""

from __future__ import annotations


def is_console(path: str) -> bool:
    """Tells whether everyone may ask for a path, since the console itself looks for a key."""
    return path == "/console" or path.startswith("/console/")
