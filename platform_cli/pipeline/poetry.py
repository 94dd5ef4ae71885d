"""Reduces a pyproject.toml in poetry's older form to what its backend needs to tell the dependencies."""

from __future__ import annotations

from typing import Any

from ..config.pyproject import table
from ..errors import ConfigError


def dependencies_only(data: dict[str, Any], groups: tuple[str, ...]) -> str:
    """Returns the text of a pyproject.toml with nothing but the dependencies of `data` and of its `groups`.

    So poetry-core reads them even if there is package-mode = false, no name, or a file that does not exist. Raises
    ConfigError for a group that is not defined.
    """
    poetry = table(data, "tool", "poetry")
    dependencies = dict(table(poetry, "dependencies"))
    for group in groups:
        wanted = table(poetry, "group", group, "dependencies")
        if not wanted:
            raise ConfigError(f"pyproject.toml has no group {group!r}")
        dependencies |= wanted
    reduced = {
        "name": poetry.get("name", "project"),
        "version": "0",
        "description": "",
        "authors": [],
        "dependencies": dependencies,
        "extras": table(poetry, "extras"),
    }
    backend = {"requires": ["poetry-core"], "build-backend": "poetry.core.masonry.api"}
    import tomlkit

    return tomlkit.dumps({"tool": {"poetry": reduced}, "build-system": backend})
