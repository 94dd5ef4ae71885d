"""Makes a bundle's draft of each save, in a temporary folder, with a copy of the code and links to the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from homeport_runtime.loading.manifest import APP_FOLDER

from ..config.project import Project
from ..home import Home
from ..pipeline.build import draft_manifest, install
from ..pipeline.bundle import BundleDraft
from ..pipeline.manifest import bundle_hash
from ..pipeline.model import Source, SourceFile
from ..pipeline.package import OwnPackage, own_package
from ..pipeline.sessions import with_sessions
from ..pipeline.source import find_source, hash_source
from ..pipeline.stages import Stages
from .watching import reloads

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import DraftData


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Holds a project at one moment.

    `hash` covers all that a reload depends on; `code` are the files whose change reloads, `data` the paths of the
    others that a deploy would take; `package` is what its installation adds.
    """

    project: Project
    hash: str
    manifest: DraftData
    code: tuple[SourceFile, ...]
    data: tuple[str, ...]
    package: OwnPackage

    @property
    def paths(self) -> tuple[str, ...]:
        return (*(file.path for file in self.code), *self.data)

    def changes_since(self, older: Snapshot) -> tuple[str, ...]:
        """Returns the paths of the code files that differ."""
        return tuple(sorted({file.path for file in {*self.code} ^ {*older.code}}))


def take_snapshot(project: Project, home: Home, stages: Stages, note: Callable[[str], None]) -> Snapshot:
    """Reads the project, and installs its requirements if needed.

    Raises the errors of a deploy.
    """
    installed = install(project, home, stages, note)
    project = with_sessions(installed.project, installed.code, note)
    installed = replace(installed, project=project)
    found = find_source(project.folder, project.entrypoint.file if project.entrypoint else None, project.include).files
    code = hash_source(project.folder, [file for file in found if reloads(file.path, project)])
    data = tuple(file.path for file in found if not reloads(file.path, project))
    package = own_package(project, [file.path for file in found], installed.interpreter, home.cache, note)
    manifest = draft_manifest(home, installed, Source(code), package)
    return Snapshot(project, bundle_hash(manifest), manifest, code, data, package)


def write_draft(snapshot: Snapshot, scratch: Home) -> BundleDraft:
    """Copies the code, so that requests in flight finish with the old one, and links the data."""
    draft = BundleDraft(scratch, snapshot.manifest, snapshot.hash)
    try:
        draft.fill((snapshot.project.folder, snapshot.code), (snapshot.package.folder, snapshot.package.files))
        for path in snapshot.data:
            link = draft.path / APP_FOLDER / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(snapshot.project.folder / path)
    except BaseException:
        draft.__exit__()
        raise
    return draft
