"""Which project a folder stands for."""

from __future__ import annotations

from pathlib import Path
from socket import gethostname

from ..config.load import read_config
from ..config.root import find_root
from ..controlplane.client import PlatformClient


def project_here(folder: Path, client: PlatformClient | None) -> str | None:
    """The name in the configuration of the project that the folder belongs to, else the one project that was deployed
    from there; None without either.

    Without a platform nobody knows what was deployed from where.
    """
    root = find_root(folder.resolve())
    name = read_config(root.config).name
    if name is not None or client is None:
        return name
    places = dict.fromkeys((str(folder.resolve()), str(root.package), str(root.folder)))
    return next((found for place in places if (found := deployed_from(place, client))), None)


def deployed_from(place: str, client: PlatformClient) -> str | None:
    """The one project that was deployed from `place`, None when there is none, or several."""
    known = known_as(place, client)
    deployed = [project["project"] for project in client.projects() if project["folder"] == known]
    return deployed[0] if len(deployed) == 1 else None


def known_as(place: str, client: PlatformClient) -> str:
    """`place` as the platform knows it: one on another machine knows folders with this machine's name."""
    return f"{gethostname()}:{place}" if client.remote and place.startswith("/") else place
