"""Finds the project to which a folder belongs."""

from __future__ import annotations

from pathlib import Path

from ..config.load import read_config
from ..config.root import find_root
from ..targets.base import AnyTarget


def project_here(folder: Path, target: AnyTarget) -> str | None:
    """Returns the name in the configuration of the folder's project, otherwise the one project that was deployed from
    there.

    It is None if there is neither.
    """
    root = find_root(folder.resolve())
    name = read_config(root.config).name
    if name is not None:
        return name
    places = dict.fromkeys((str(folder.resolve()), str(root.package), str(root.folder)))
    return next((found for place in places if (found := target.deployed_from(place))), None)
