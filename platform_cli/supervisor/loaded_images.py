"""Remembers which images were loaded into the engine, so that it need not be asked for those to remove."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from ..errors import HomeportError
from ..home import Home
from .container_spec import image_name
from .engine import Engine


def remember(home: Home, tag: str) -> None:
    """Notes that the home's image of that tag is loaded, or used anew."""
    marker = _markers(home) / tag
    marker.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker.touch()


def loaded_images(home: Home, older_than_s: float) -> list[str]:
    """Returns the names of the images that were loaded, those of the last `older_than_s` seconds left out."""
    before = time.time() - older_than_s
    return [f"{image_name(home)}:{marker.name}" for marker in _sorted(home) if marker.stat().st_mtime <= before]


def drop_images(engine: Engine, home: Home, names: Iterable[str]) -> None:
    """Removes images; one that a container still uses stays until the next time."""
    for name in names:
        with contextlib.suppress(HomeportError):
            engine.remove_image(name)
            (_markers(home) / name.rpartition(":")[2]).unlink(missing_ok=True)


def _sorted(home: Home) -> list[Path]:
    try:
        return sorted(_markers(home).iterdir())
    except FileNotFoundError:
        return []


def _markers(home: Home) -> Path:
    """Returns the folder with an empty file for each image, by its tag."""
    return home.cache / "images" / "loaded"
