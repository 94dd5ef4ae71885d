"""Assembles bundles: the app's source and manifest.json in a folder named by content hash."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homeport_runtime.loading.manifest import APP_FOLDER, FILE_NAME, FORMAT

from ..config.project import AuditSettings, Entrypoint, Program, Project
from ..errors import BuildError
from ..home import Home, write_atomic
from ..hostile_files import digest
from ..own_code import open_to_all
from ..project_files.imports import imported_names
from ..project_files.modules import Module
from .manifest import read_manifest
from .model import Bundle, Inspection, Interpreter, Layer, Lock, Source, SourceFile
from .source import copy_source

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import AuditData, DraftData, EntrypointData, ManifestData, ProgramData

BYTECODE = "__pycache__"


def describe(
    project: Project,
    source: Source,
    interpreter: Interpreter,
    lock: Lock,
    layer: Layer,
    runtime: str,
    roots: Sequence[str] = (),
    modules: Sequence[Module] = (),
) -> DraftData:
    """Returns the manifest before inspection: everything that decides how the server runs.

    `roots` are the folders of the app from which the project's own modules are imported, "" for the app itself;
    `modules` are those of its source.
    """
    return {
        "format": FORMAT,
        "entrypoint": _entrypoint(project.entrypoint) if project.entrypoint else None,
        "program": _program(project.program) if project.program else None,
        "args": list(project.args),
        "command": list(project.command) if project.command else None,
        "sessions": bool(project.sessions),
        "start_timeout_s": project.start_timeout_s,
        "memory_mb": project.memory_mb,
        "environment": dict(sorted(project.environment.items())),
        "scaling": {
            "min": project.scaling.min,
            "max": project.scaling.workers,
            "idle_s": project.scaling.idle_s,
            "concurrency": project.scaling.concurrency,
            "unresponsive_s": project.scaling.unresponsive_s,
            "auto": project.auto_scaling,
        },
        "cold_start_optimization": project.cold_start_optimization,
        "domains": list(project.domains),
        "origins": list(project.origins),
        "stop_first": project.stop_first,
        "auth": project.auth,
        "users": {name: list(scopes) for name, scopes in project.users.items()} if project.users is not None else None,
        "login": project.login.data() if project.login else None,
        "issuer": project.issuer.data() if project.issuer else None,
        "scopes": project.scopes.data() if project.scopes else None,
        "limits": project.limits.data() if project.limits else None,
        "audit": _audit(project.audit) if project.audit else None,
        "interpreter": {"path": str(interpreter.path), "version": interpreter.version},
        "lock": lock.hash,
        "layer": layer.hash,
        "runtime": runtime,
        "roots": list(roots),
        "files": {file.path: file.sha256 for file in source.files},
        "folders": list(source.folders),
        "preload": list(imported_names(project.folder, modules)) if project.entrypoint else [],
    }


def _entrypoint(entrypoint: Entrypoint) -> EntrypointData:
    return {"file": entrypoint.file, "object": entrypoint.object}


def _audit(audit: AuditSettings) -> AuditData:
    return {
        "arguments": audit.arguments,
        "redact": list(audit.redact),
        "keep_days": audit.keep_days,
        "required": audit.required,
    }


def _program(program: Program) -> ProgramData:
    return {"module": program.module, "function": program.function, "name": program.name}


def find_bundle(home: Home, name: str) -> Bundle | None:
    """Returns the bundle of that name; None if there is none, or if its content is no longer what was built."""
    path = home.bundles / name
    try:
        manifest = read_manifest(path)
    except BuildError:
        return None
    if not _has_files(path / APP_FOLDER, manifest["files"]):
        return None
    # The time of the last use: the platform removes what no release has used for long (controlplane.garbage).
    os.utime(path)
    return Bundle(path, name, manifest)


def _has_files(app: Path, files: Mapping[str, str]) -> bool:
    """Tells whether `app` contains exactly `files` (path -> sha256), apart from their bytecode."""
    found = set()
    for folder, folders, names in os.walk(app):
        folders[:] = [name for name in folders if name != BYTECODE]
        found |= {Path(folder, name).relative_to(app).as_posix() for name in names}
    try:
        return found == files.keys() and all(digest(app / path) == sha256 for path, sha256 in files.items())
    except OSError:
        return False


class BundleDraft:
    """Is a bundle in a temporary folder, in which it is filled and inspected, and which gets its name once all of it is
    right.
    """

    def __init__(self, home: Home, manifest: DraftData, name: str) -> None:
        self._home = home
        self._draft = manifest
        self._name = name
        home.bundles.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(dir=home.bundles, prefix=f".{name}."))

    def __enter__(self) -> BundleDraft:
        return self

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def fill(self, *parts: tuple[Path, Sequence[SourceFile]]) -> None:
        """Copies files into the app, from each folder in `parts` those that are listed with it."""
        app = self.path / APP_FOLDER
        app.mkdir()
        for folder, files in parts:
            copy_source(folder, files, app)
        open_to_all(app)
        # Nobody reads it after a crash.
        (self.path / FILE_NAME).write_text(json.dumps(self._draft))

    def finish(self, found: Inspection) -> Bundle:
        manifest: ManifestData = {
            **self._draft,
            "server": {
                "kind": found.kind,
                "object": found.object,
                "chosen": found.chosen,
                "untried": found.untried,
                "gaps": found.gaps,
            },
            "contract": found.contract,
            "imports": {"modules": found.modules, "packages": found.packages, "seconds": found.seconds},
        }
        write_atomic(self.path / FILE_NAME, json.dumps(manifest).encode())
        final = self._home.bundles / self._name
        try:
            self.path.rename(final)
        except OSError:
            # Another deploy of the same content was faster, or the bundle of that name has been changed since it was
            # built.
            if find_bundle(self._home, self._name) is None:
                final.rename(self._home.bundles / f".{self._name}.changed-{secrets.token_hex(4)}")
                self.path.rename(final)
        return Bundle(final, self._name, manifest)
