"""Which project a folder stands for."""

from __future__ import annotations

from pathlib import Path

from ..config.load import read_config
from ..config.root import find_root
from ..targets.base import AnyTarget


def project_here(folder: Path, target: AnyTarget) -> str | None:
    """The name in the configuration of the project that the folder belongs to, else the one project that was deployed
    from there; None without either.
    """
    root = find_root(folder.resolve())
    name = read_config(root.config).name
    if name is not None:
        return name
    places = dict.fromkeys((str(folder.resolve()), str(root.package), str(root.folder)))
    return next((found for place in places if (found := target.deployed_from(place))), None)
