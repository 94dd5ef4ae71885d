"""Which project of a platform a folder stands for."""

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
    """The one project that was deployed from `place`, None when there is none, or several."""
    known = known_as(place, client)
    deployed = [project["project"] for project in client.projects() if project["folder"] == known]
    return deployed[0] if len(deployed) == 1 else None


def known_as(place: str, client: PlatformClient) -> str:
    """`place` as the platform knows it: one on another machine knows folders with this machine's name."""
    return f"{gethostname()}:{place}" if client.remote and place.startswith("/") else place


def choose_name(project: Project, contract: Mapping[str, Any] | None, client: PlatformClient) -> str:
    """The name that was chosen, else the server's own, else the folder's.

    A name nobody chose must not take over a project that came from another folder. Raises InputError.
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
    """What a contract would say of the name, as far as the source tells."""
    try:
        source = (project.folder / project.entrypoint.file).read_bytes() if project.entrypoint else b""
        return {"name": server_name(source) or ""}
    except (OSError, SyntaxError, ValueError):
        return {"name": ""}
