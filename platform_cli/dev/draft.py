"""What one save becomes: a bundle's draft in a temporary folder, with the code as it was then and the data as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from homeport_runtime.loading.manifest import APP_FOLDER, DraftData

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A project at one moment. `hash` names all that a reload depends on; `code` are the files whose change reloads,
    `data` the paths of the others that a deploy would take; `package` is what an installation of it adds.
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
        """The paths of the code that differs."""
        return tuple(sorted({file.path for file in {*self.code} ^ {*older.code}}))


def take_snapshot(project: Project, home: Home, stages: Stages, note: Callable[[str], None]) -> Snapshot:
    """Reads the project, and installs what it requires if that is not there; raises what a deploy raises."""
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
    """The code is copied, so that requests in flight finish with the old one; data are links to what is there now."""
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
