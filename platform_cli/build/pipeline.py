"""Project -> Bundle: lock, layer, inspect, bundle; each stage costs nothing when its content is there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..config.project import Project
from ..home import Home
from .bundle import BundleDraft, bundle_hash, describe, find_bundle
from .inspect import Inspector, inspect_draft
from .interpreter import find_interpreter
from .layer import build_layer
from .lock import make_lock
from .model import Bundle, Interpreter, Layer, Lock, Requirements, SourceFile
from .requirements import resolve_requirements
from .runtime import store_runtime
from .source import collect_source
from .stages import Stages


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle and what the person may want to know of how it came to be."""

    bundle: Bundle
    requirements: Requirements


@dataclass(frozen=True, slots=True)
class Installed:
    """What a project runs on, there on this machine."""

    requirements: Requirements
    interpreter: Interpreter
    lock: Lock
    layer: Layer


def _here(interpreter: Interpreter) -> Interpreter:
    return interpreter


def build(
    project: Project,
    home: Home,
    stages: Stages,
    inspector: Inspector,
    note: Callable[[str], None],
    packages_for: Callable[[Interpreter], Interpreter] = _here,
) -> Built:
    """Runs the pipeline; `note` is told what was inferred. Nothing that serves is touched. `packages_for` says which
    Python the layer is for, given the one that loads it here.
    """
    installed = install(project, home, stages, note, packages_for)
    return Built(_bundle(project, home, stages, inspector, note, installed), installed.requirements)


def install(
    project: Project,
    home: Home,
    stages: Stages,
    note: Callable[[str], None],
    packages_for: Callable[[Interpreter], Interpreter] = _here,
) -> Installed:
    """The stages that need nothing of the app but its requirements."""
    with stages.run("lock") as stage:
        requirements = resolve_requirements(project)
        if requirements.inferred:
            note(f"requirements inferred from the imports: {', '.join(requirements.inferred)}")
        found = find_interpreter(project.python_version or requirements.requires_python, home.cache)
        interpreter = packages_for(found)
        lock, stage.cached = make_lock(requirements, interpreter, home.cache)
    with stages.run("layer") as stage:
        layer, stage.cached = build_layer(lock, interpreter, home.layers)
    return Installed(requirements, interpreter, lock, layer)


def draft_manifest(project: Project, home: Home, installed: Installed, files: Sequence[SourceFile]) -> dict[str, Any]:
    """The manifest of `files` before inspection."""
    runtime = store_runtime(home.runtimes)
    return describe(project, files, installed.interpreter, installed.lock, installed.layer, runtime)


def _bundle(
    project: Project,
    home: Home,
    stages: Stages,
    inspector: Inspector,
    note: Callable[[str], None],
    installed: Installed,
) -> Bundle:
    files = collect_source(project.folder, project.entrypoint.file if project.entrypoint else None)
    manifest = draft_manifest(project, home, installed, files)
    name = bundle_hash(manifest)
    if bundle := find_bundle(home, name):
        for stage_name in ("inspect", "bundle"):
            with stages.run(stage_name) as stage:
                stage.cached = True
        return bundle
    with BundleDraft(home, manifest, name) as draft:
        with stages.run("inspect"):
            draft.fill(project.folder, files)
            inspection = inspect_draft(draft.path, inspector)
        note(f"serves {inspection.chosen}")
        with stages.run("bundle"):
            return draft.finish(inspection)
