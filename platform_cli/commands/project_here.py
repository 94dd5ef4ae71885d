"""Which project a folder stands for."""

from __future__ import annotations

from pathlib import Path
from socket import gethostname

from ..config.load import read_config
from ..controlplane.client import PlatformClient


def project_here(folder: Path, client: PlatformClient | None) -> str | None:
    """The name in the folder's configuration, else the one project that was deployed from it; None without either.

    Without a platform nobody knows what was deployed from where.
    """
    folder = folder.resolve()
    name = read_config(folder).name
    if name is not None or client is None:
        return name
    known_as = f"{gethostname()}:{folder}" if client.remote else str(folder)
    deployed = [project["project"] for project in client.projects() if project["folder"] == known_as]
    return deployed[0] if len(deployed) == 1 else None
