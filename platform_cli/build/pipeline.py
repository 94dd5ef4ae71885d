"""Project -> Bundle: lock, layer, inspect, bundle; each stage costs nothing when its content is there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..config.project import Project
from ..home import Home
from .bundle import BundleDraft, bundle_hash, describe, find_bundle
from .inspect import Inspector, inspect_draft
from .interpreter import find_interpreter
from .layer import build_layer
from .lock import make_lock
from .model import Bundle, Interpreter, Layer, Lock, Requirements
from .requirements import resolve_requirements
from .runtime import store_runtime
from .source import collect_source
from .stages import Stages


@dataclass(frozen=True, slots=True)
class Built:
    """A bundle and what the person may want to know of how it came to be."""

    bundle: Bundle
    requirements: Requirements


def build(project: Project, home: Home, stages: Stages, inspector: Inspector, note: Callable[[str], None]) -> Built:
    """Runs the pipeline; `note` is told what was inferred. Nothing that serves is touched."""
    with stages.run("lock") as stage:
        requirements = resolve_requirements(project)
        if requirements.inferred:
            note(f"requirements inferred from the imports: {', '.join(requirements.inferred)}")
        interpreter = find_interpreter(project.python_version or requirements.requires_python, home.cache)
        lock, stage.cached = make_lock(requirements, interpreter, home.cache)
    with stages.run("layer") as stage:
        layer, stage.cached = build_layer(lock, interpreter, home.layers)
    return Built(_bundle(project, home, stages, inspector, interpreter, lock, layer), requirements)


def _bundle(
    project: Project,
    home: Home,
    stages: Stages,
    inspector: Inspector,
    interpreter: Interpreter,
    lock: Lock,
    layer: Layer,
) -> Bundle:
    files = collect_source(project.folder, project.entrypoint.file if project.entrypoint else None)
    manifest = describe(project, files, interpreter, lock, layer, store_runtime(home.runtimes))
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
        with stages.run("bundle"):
            return draft.finish(inspection)
