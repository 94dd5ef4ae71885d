"""Builds a Bundle from a Project by the stages lock, layer, inspect and bundle; a stage whose result
exists is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..config.project import Project
from ..config.python_version import required_python, wanted_python
from ..errors import InputError, InspectError
from ..home import Home
from .bounds import script_bounds, sdk_bounds
from .bundle import BundleDraft, describe, find_bundle
from .code import Code, read_code
from .fitting import fitting_lock, newer_for_syntax, remember_python
from .inspect import Inspector, inspect_draft
from .interpreter import find_interpreter
from .layer import build_layer
from .lock import make_lock
from .manifest import bundle_hash
from .model import ISSUER_REQUIREMENTS, Bundle, Interpreter, Layer, Lock, Requirements, Source
from .node import find_program, lock_packages, packages_origin, with_packages
from .node_build import build_app
from .package import OwnPackage, own_package
from .program_package import installed_program, program_name, remember, writes_beside_itself, writing_program
from .programs import program_of
from .requirements import resolve_requirements
from .runtime import store_runtime
from .sessions import with_sessions
from .source import collect_source
from .stages import Stages

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import DraftData


@dataclass(frozen=True, slots=True)
class Built:
    """Holds a bundle, its requirements and the server's own source as `code`, from which a deploy reports findings."""

    bundle: Bundle
    requirements: Requirements
    code: tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class Installed:
    """Holds what a project needs on this machine to run.

    `project` has its program filled in, `code` is its own source, parsed.
    """

    project: Project
    code: tuple[Code, ...]
    requirements: Requirements
    interpreter: Interpreter
    lock: Lock
    layer: Layer


def here(interpreter: Interpreter) -> Interpreter:
    """Returns the same interpreter: the packages are for this machine."""
    return interpreter


def build(
    project: Project,
    home: Home,
    stages: Stages,
    inspector: Inspector,
    note: Callable[[str], None],
    packages_for: Callable[[Interpreter], Interpreter] = here,
) -> Built:
    """Runs the pipeline, without touching what serves; `note` gets sentences for the person.

    `packages_for` returns the Python for which the layer is built, given the one that loads it here.
    """
    installed = install(project, home, stages, note, packages_for)
    installed = replace(installed, project=with_sessions(installed.project, installed.code, note))
    try:
        return Built(_bundle(home, stages, inspector, note, installed), installed.requirements, installed.code)
    except InspectError as error:
        if not _newer_fits(error, project, installed, home, packages_for):
            raise
    return build(project, home, stages, inspector, note, packages_for)


def _newer_fits(
    error: InspectError,
    project: Project,
    installed: Installed,
    home: Home,
    packages_for: Callable[[Interpreter], Interpreter],
) -> bool:
    """Tells whether a newer Python of this machine can parse the server and will be taken for it from now on."""
    newer = newer_for_syntax(
        error,
        installed.layer,
        project.folder,
        installed.interpreter,
        lambda python: packages_for(find_interpreter(python, home.cache)),
    )
    if newer is None or wanted_python(project) is not None:
        return False
    first = packages_for(find_interpreter(None, home.cache))
    # The limits on the SDKs were found in the code of the package, which is searched again.
    requirements = replace(installed.requirements, bounds=()) if project.script else installed.requirements
    remember_python(newer, requirements, first, home.cache)
    return True


def install(
    project: Project,
    home: Home,
    stages: Stages,
    note: Callable[[str], None],
    packages_for: Callable[[Interpreter], Interpreter] = here,
) -> Installed:
    """Runs the stages that need nothing of the app but its requirements."""
    with stages.run("lock") as stage:
        wanted = wanted_python(project)
        interpreter = packages_for(_interpreter(project, wanted, home, note))
        requirements = resolve_requirements(project)
        code = read_code(project)
        if not requirements.inferred:
            requirements = replace(requirements, bounds=sdk_bounds(project, code))
        requirements = replace(requirements, upgrade=project.upgrade)
        if project.issuer is not None:
            requirements = replace(requirements, runtime=(*requirements.runtime, *ISSUER_REQUIREMENTS))
        note(_origin(requirements, packages_origin(project)))
        if wanted is None:
            interpreter, lock, locked = fitting_lock(
                requirements,
                interpreter,
                lambda python: packages_for(find_interpreter(python, home.cache)),
                home.cache,
                note,
            )
        else:
            lock, locked = make_lock(requirements, interpreter, home.cache)
        if project.script and (bounds := script_bounds(project, project.script, lock, interpreter, home.layers)):
            requirements = replace(requirements, bounds=bounds)
            lock, locked = make_lock(requirements, interpreter, home.cache)
        for text in [*lock.notes, *(_moved_branches(requirements, lock) if locked else ())]:
            note(text)
        packages, known = lock_packages(project, home.cache)
        lock = with_packages(lock, packages) if packages else lock
        stage.cached = locked and known
    with stages.run("layer") as stage:
        layer, stage.cached = build_layer(lock, interpreter, home.layers)
    if project.script:
        project = replace(project, program=program_of(layer.path, project.script), script=None)
        code = read_code(project)
    if packages:
        project = find_program(project, layer.path)
    return Installed(project, code, requirements, interpreter, lock, layer)


def _interpreter(project: Project, wanted: str | None, home: Home, note: Callable[[str], None]) -> Interpreter:
    try:
        return find_interpreter(wanted, home.cache)
    except InputError:
        # .python-version names what the author works with, requires-python what will do.
        required = required_python(project)
        if required in (None, wanted):
            raise
        found = find_interpreter(required, home.cache)
        note(f"Python {wanted} is not on this machine: {found.version} serves, as requires-python allows")
        return found


def _moved_branches(requirements: Requirements, lock: Lock) -> Iterable[str]:
    if "git+" not in lock.text:
        return ()
    # Imported late, since few projects have packages from git.
    from .git_refs import moved_branches

    return moved_branches(requirements, lock.text)


def _origin(requirements: Requirements, packages: str | None) -> str:
    if requirements.inferred:
        return f"requirements inferred from the imports: {', '.join(requirements.inferred)}"
    over = f" (not read: {', '.join(requirements.passed_over)})" if requirements.passed_over else ""
    of_python = [requirements.origin] if requirements.text or not packages else []
    return f"requirements: {' and '.join([*of_python, *([packages] if packages else [])])}{over}"


def draft_manifest(home: Home, installed: Installed, source: Source, package: OwnPackage) -> DraftData:
    """Returns the manifest of `source` and of the files that `package` adds, as it is before the inspection."""
    runtime = store_runtime(home.runtimes)
    everything = replace(source, files=(*source.files, *package.files))
    return describe(
        installed.project,
        everything,
        installed.interpreter,
        installed.lock,
        installed.layer,
        runtime,
        package.roots,
        [each.module for each in installed.code],
    )


def _bundle(
    home: Home, stages: Stages, inspector: Inspector, note: Callable[[str], None], installed: Installed
) -> Bundle:
    project = installed.project
    source = collect_source(project.folder, project.entrypoint.file if project.entrypoint else None, project.include)
    if built := build_app(project, installed.layer.path, source.files, home.cache):
        project, source = built, collect_source(built.folder, None, built.include)
        installed = replace(installed, project=project)
    package = own_package(project, [file.path for file in source.files], installed.interpreter, home.cache, note)
    program = program_name(project, source.files)
    writing = writing_program(project, program, installed.layer, home.cache) if program else None
    if writing:
        package, installed = writing.package, replace(installed, project=writing.project)
    try:
        return _inspected(home, stages, inspector, note, installed, source, package)
    except InspectError as error:
        if package.files or program is None or not writes_beside_itself(error, installed.layer):
            raise
    note("it writes beside its own code, and is served from the project's folder")
    remember(program, installed.layer, home.cache)
    writing = installed_program(project, program, installed.layer)
    installed = replace(installed, project=writing.project)
    return _inspected(home, stages, inspector, note, installed, source, writing.package)


def _inspected(
    home: Home,
    stages: Stages,
    inspector: Inspector,
    note: Callable[[str], None],
    installed: Installed,
    source: Source,
    package: OwnPackage,
) -> Bundle:
    project = installed.project
    manifest = draft_manifest(home, installed, source, package)
    name = bundle_hash(manifest)
    if bundle := find_bundle(home, name):
        for stage_name in ("inspect", "bundle"):
            with stages.run(stage_name) as stage:
                stage.cached = True
        return bundle
    with BundleDraft(home, manifest, name) as draft:
        with stages.run("inspect"):
            draft.fill((project.folder, source.files), (package.folder, package.files))
            inspection = inspect_draft(draft.path, inspector)
        note(f"serves {inspection.chosen}")
        if project.scopes is not None or project.limits is not None:
            # Imported late, since few projects have them.
            from .rules import check_rules

            check_rules(project, inspection.contract)
        with stages.run("bundle"):
            return draft.finish(inspection)
