"""Reads what pyproject.toml says of a project's name and programs; the build reports what is malformed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli


def read_pyproject(folder: Path) -> Mapping[str, Any]:
    """Returns the content of the folder's pyproject.toml, empty when there is none that can be read."""
    try:
        return tomli.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}


def table(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Returns the table at `path`, an empty one when there is none."""
    found: Any = data
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def project_name(folder: Path) -> str | None:
    """Returns the name that the project in `folder` gives itself, None when it gives none."""
    data = read_pyproject(folder)
    for path in (("project",), ("tool", "poetry")):
        name = table(data, *path).get("name")
        if isinstance(name, str):
            return name
    return None
