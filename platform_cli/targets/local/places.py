"""Finds the project of a platform to which a folder belongs."""

from __future__ import annotations

from collections.abc import Mapping
from socket import gethostname
from typing import Any

from ...config.names import default_name
from ...config.project import Project
from ...config.server_name import server_name
from ...errors import InputError, NotFoundError
from ...platform_client.client import PlatformClient


def deployed_from(place: str, client: PlatformClient) -> str | None:
    """Returns the one project that was deployed from `place`, None if there is none or several."""
    known = known_as(place, client)
    deployed = [project["project"] for project in client.projects() if project["folder"] == known]
    return deployed[0] if len(deployed) == 1 else None


def known_as(place: str, client: PlatformClient) -> str:
    """Returns `place` as the platform knows it: one on another machine has this machine's name before a folder."""
    return f"{gethostname()}:{place}" if client.remote and place.startswith("/") else place


def choose_name(project: Project, contract: Mapping[str, Any] | None, client: PlatformClient) -> str:
    """Returns the name that was chosen, otherwise the server's own, otherwise the folder's.

    Raises InputError for a name that nobody chose, and that a project from another folder has.
    """
    if project.name is not None:
        return project.name
    name = default_name(contract, project)
    try:
        current = client.status(name)
    except NotFoundError:
        return name
    if current["folder"] != known_as(project.place, client):
        raise InputError(
            f"a project {name!r} was deployed from {current['folder']}",
            hint=f"--name {name} makes this its next release; another name makes a project of its own",
        )
    return name


def named_in_source(project: Project) -> dict[str, Any]:
    """Returns the part of a contract that the source tells: the server's name."""
    try:
        source = (project.folder / project.entrypoint.file).read_bytes() if project.entrypoint else b""
        return {"name": server_name(source) or ""}
    except (OSError, SyntaxError, ValueError):
        return {"name": ""}
