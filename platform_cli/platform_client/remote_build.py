"""Builds a project on a platform elsewhere: it uploads the source, and shows the stages as they happen there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from ..api.failure import error_of
from ..config.names import slugify
from ..config.project import Project
from ..config.root import CONFIGS, MARKERS
from ..errors import PlatformError
from ..pipeline.model import Bundle, Source
from ..pipeline.source import collect_source
from ..pipeline.stages import Stage, Stages
from .client import PlatformClient
from .upload import Description, pack_project

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import ManifestData

    from ..api.build_event import Built

# The files that decide how a project is built are uploaded even if ignore files leave them out of the app.
ALWAYS = (*CONFIGS, *MARKERS, "package-lock.json", ".python-version", "poetry.lock", "pdm.lock", "Pipfile.lock")


def build_remote(client: PlatformClient, project: Project, stages: Stages, note: Callable[[str], None]) -> Bundle:
    """Uploads and builds `project`, and returns its bundle, whose path is only its name, since it is on the other
    machine.

    Raises the errors of the build there.
    """
    with stages.run("upload"):
        source = collect_source(
            project.folder, project.entrypoint.file if project.entrypoint else None, project.include
        )
        with pack_project(project.folder, _paths(project, source), _description(project, source)) as archive:
            events = client.build(archive)
            event = next(events, None)
    while event is not None:
        match event["event"]:
            case "start":
                stages.started(event["name"])
            case "end":
                stages.ended(Stage(event["name"], event["seconds"], event["cached"]))
            case "note":
                note(event["text"])
            case "error":
                raise error_of(event)
            case "bundle":
                return _bundle_there(event)
        event = next(events, None)
    raise PlatformError("the platform ended while it was building", hint="run the command again")


def _bundle_there(event: Built) -> Bundle:
    # Only this key of the manifest is known here, and no other is read.
    manifest = cast("ManifestData", {"contract": event["contract"]})
    return Bundle(Path(event["hash"]), event["hash"], manifest)


def _paths(project: Project, source: Source) -> list[str]:
    # The folders from the root down to the server count, too, since the nearest file there decides.
    ends = (f"{project.member}/_", project.entrypoint.file if project.entrypoint else "_")
    folders = {folder for end in ends for folder in PurePosixPath(end.lstrip("/")).parents}
    named = {(folder / name).as_posix() for folder in folders for name in ALWAYS}
    named |= {project.requirements} if project.requirements else set()
    return sorted({file.path for file in source.files} | {name for name in named if (project.folder / name).is_file()})


def _description(project: Project, source: Source) -> Description:
    return Description(
        path=project.typed,
        args=project.args,
        name=slugify(project.folder.name) or "server",
        variables=dict(project.environment),
        upgrade=project.upgrade,
        project=project.name,
        stage=project.stage,
        target="container" if project.target == "container" else None,
        folders=list(source.folders),
    )
