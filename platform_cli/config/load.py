"""Turns what was typed after `homeport deploy` into a Project, by reading files and importing none of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ConfigError, SourceError
from .choose import NoServerError, choose, named_program, package_with_server, server_file
from .command import Run, translate
from .package_json import PACKAGE, TYPESCRIPT, in_package, is_script, run_file, with_arguments
from .paths import exists, file_inside, from_here, typed
from .project import Entrypoint, Program, Project
from .root import CONFIGS, Root, find_root
from .scripts import module_file
from .server_files import assigns
from .source_check import check_source, is_read_by_us


@dataclass(frozen=True, slots=True)
class Typed:
    """Holds a path as it was typed: a `folder`, a `file` in it or None, and the `name` behind a colon or None."""

    folder: Path
    file: str | None
    name: str | None

    def within(self, root: Path) -> str:
        """Returns the path in the form in which it would be typed in the folder `root`."""
        path = (self.folder / (self.file or "")).relative_to(root).as_posix()
        return f"{path}:{self.name}" if self.name else path


def load_project(path: str | Path, args: Sequence[str] = (), *, top: Path | None = None) -> Project:
    """Returns the project at `path`: a server file, `FILE:OBJECT`, a folder, or `FOLDER:NAME` for one of its programs.

    The configuration is the nearest fastmcp.toml or fastmcp.json from there upward. What was typed takes precedence
    over the entry point that the configuration names, and `args` over its arguments. `top` is the project's root where
    it is known.

    Raises ConfigError for a bad configuration, and SourceError for a bad path, a broken server file, or no clear
    choice.
    """
    if not str(path):
        # To `Path` that is the current folder, which nobody has named.
        raise SourceError("the path is empty", hint="Is a variable of your shell unset? The folder here is `.`")
    try:
        return _load(str(path), tuple(args), top and top.resolve())
    except OSError as error:  # a folder that may not be read, a name too long, a current folder that is gone
        hint = "Type the path of a server file, or of the folder it is in."
        raise SourceError(f"{path}: {error.strerror}", hint=hint) from None


def _load(path: str, args: tuple[str, ...], top: Path | None) -> Project:
    given = _locate(path)
    root = find_root(given.folder, top)
    project = _in_root(_translated(read_config(root.config)), root)
    project = replace(project, member=root.member, typed=given.within(root.folder))
    if given.file and is_script(given.file):
        command = run_file(_relative(given.folder / given.file, root.folder))
        project = replace(project, entrypoint=None, program=None, script=None, command=command)
    elif given.file:
        entrypoint = _merge(
            Entrypoint(_relative(given.folder / given.file, root.folder), given.name), project.entrypoint
        )
        project = replace(project, entrypoint=entrypoint, program=None, script=None, command=None)
        shown = from_here(root.folder / entrypoint.file)
        project = replace(project, entrypoint=_check_entrypoint(project, entrypoint, str(shown)))
    elif given.name:
        project = replace(project, entrypoint=None, program=_named(root, given.name), script=None, command=None)
    elif _is_configured(project, given.folder):
        project = _resolve(project, root)
    else:
        try:
            project = _choose(project, root, given.folder)
        except NoServerError:
            package = package_with_server(root) if given.folder == root.folder else None
            if package is None:
                raise
            return _load(str(package), args, top)
    if project.command:
        return replace(project, command=with_arguments(project.command, args))
    return replace(project, args=args or project.args)


def load_run(run: Run, folder: Path) -> Project:
    """Returns the project in `folder` with `run`, which a command line named, as what it runs.

    Raises ConfigError for a bad configuration, and SourceError for a broken server file.
    """
    root = find_root(folder.resolve())
    project = replace(_in_root(read_config(root.config), root), member=root.member)
    return _resolve(run.apply(project), root)


def _translated(project: Project) -> Project:
    """Returns the project with a command that starts Python replaced by what Python runs."""
    run = translate(project.command, project.folder) if project.command else None
    return run.apply(project) if run else project


def _choose(project: Project, root: Root, folder: Path) -> Project:
    choice = None if folder in (root.folder, root.package) else server_file(root, folder)
    if choice is None and _is_configured(project, root.folder):
        return _resolve(project, root)
    choice = choice or choose(root)
    runs = choice.runs
    chosen = replace(
        project,
        chosen=str(choice),
        entrypoint=runs if isinstance(runs, Entrypoint) else None,
        program=runs if isinstance(runs, Program) else None,
        command=runs if isinstance(runs, tuple) else None,
        script=None,
    )
    if isinstance(runs, Entrypoint):
        _check_entrypoint(chosen, runs, str(from_here(root.folder / runs.file)))
    return chosen


def _named(root: Root, name: str) -> Program:
    program = named_program(root, name)
    if program is None:
        raise SourceError(
            f"{typed(root.package)} has neither a console script nor a module {name!r}",
            hint="Console scripts are what [project.scripts] of pyproject.toml declares.",
        )
    return program


def _is_configured(project: Project, folder: Path) -> bool:
    """Tells whether the configuration says what runs, for its whole project or for the `folder` that was typed."""
    if project.entrypoint is None:
        return bool(project.program or project.script or project.command)
    config = project.config_file.parent if project.config_file else project.folder
    return config.is_relative_to(folder) or (project.folder / project.entrypoint.file).is_relative_to(folder)


def _resolve(project: Project, root: Root) -> Project:
    """Looks up what the configuration names: a script among the project's own, an object, a file."""
    origin = f"{project.config_file.name}: entry point " if project.config_file else ""
    if project.script and (program := named_program(root, project.script)):
        return replace(project, program=program, script=None)
    if project.script and (project.folder / project.script).exists():
        project = replace(project, entrypoint=Entrypoint(project.script), script=None)
    if project.program and (served := _object(root, project.program)):
        project = replace(project, entrypoint=served, program=None)
    if project.entrypoint:
        shown = f"{origin}{project.entrypoint.file}"
        project = replace(project, entrypoint=_check_entrypoint(project, project.entrypoint, shown))
    return project


def _object(root: Root, program: Program) -> Entrypoint | None:
    """Returns the entry point for `module:name` if `name` is a variable of the module, and so a server
    and no function.
    """
    file = module_file(root.package, program.module) if program.function else None
    if file is None or program.function is None or not assigns(file, program.function):
        return None
    return Entrypoint(_relative(file, root.folder), program.function)


def _in_root(project: Project, root: Root) -> Project:
    """Returns the project with its paths, which are relative to its configuration, made relative to the root."""
    prefix = root.config.relative_to(root.folder)
    if not prefix.parts:
        return replace(project, folder=root.folder)
    entrypoint = project.entrypoint
    return replace(
        project,
        folder=root.folder,
        entrypoint=entrypoint and replace(entrypoint, file=(prefix / entrypoint.file).as_posix()),
        requirements=project.requirements and (prefix / project.requirements).as_posix(),
        include=tuple((prefix / path).as_posix() for path in project.include),
        command=project.command and in_package(project.command, prefix.as_posix()),
    )


def _locate(text: str) -> Typed:
    path, name = Path(text), None
    if not exists(path) and ":" in text:
        before, _, name = text.rpartition(":")
        path = Path(before)
        if not path.is_dir() and not name.isidentifier():
            raise SourceError(f"{text}: {name!r} is not the name of an object", hint=f"homeport deploy {before}:mcp")
    if path.is_dir():
        return Typed(path.resolve(), None, name)
    if not exists(path):
        raise SourceError(f"{path} does not exist", hint="Type the path of a server file, or of the folder it is in.")
    if path.suffix in TYPESCRIPT and name is None:
        raise SourceError(
            f"{path} is TypeScript, and Node runs what it is built into",
            hint=f"Deploy the folder of its package.json, which is built first: homeport deploy {_package_above(path)}",
        )
    if not path.is_file() or not (path.suffix == ".py" or (is_script(path.name) and name is None)):
        raise SourceError(
            f"{path} is not a Python file",
            hint="A server is a .py file, or a .js file that Node runs. For a program in another language write "
            '[deployment] command = "..." in a fastmcp.toml and deploy its folder.',
        )
    return Typed(path.parent.resolve(), path.name, name)


def _package_above(file: Path) -> str:
    folder = file.parent.resolve()
    return typed(next((above for above in (folder, *folder.parents) if (above / PACKAGE).is_file()), folder))


def read_config(folder: Path) -> Project:
    """Returns what the configuration in `folder` says, a Project without an entry point if there is no configuration.

    Raises ConfigError for a configuration that cannot be read.
    """
    for name in CONFIGS:
        path = folder / name
        if not os.path.lexists(path):
            continue
        if not path.is_file():
            raise ConfigError(f"{name}: is not a file", hint=f"Look at {path}.")
        if path.suffix == ".toml":
            from .toml import read_toml

            return read_toml(path)
        from .fastmcp_json import read_fastmcp_json

        return read_fastmcp_json(path)
    return Project(folder=folder, entrypoint=None)


def _merge(given: Entrypoint, configured: Entrypoint | None) -> Entrypoint:
    """Returns the typed file as the entry point, with the object that the configuration names in that very file."""
    same = configured is not None and Path(configured.file) == Path(given.file)
    return configured if configured and same and not given.object else given


def _relative(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def _check_entrypoint(project: Project, entrypoint: Entrypoint, shown: str) -> Entrypoint:
    try:
        file = file_inside(project.folder, entrypoint.file)
    except ValueError as error:
        raise SourceError(
            f"{shown} {error}", hint=f"The entry point is a .py file in {typed(project.folder)} or below it."
        ) from None
    if not file.endswith(".py"):
        raise SourceError(f"{shown} is not a Python file", hint='For another language use [deployment] command = "..."')
    path = project.folder / file
    ours = is_read_by_us(project.python_version, (project.folder / project.member, path))
    check_source(path, str(from_here(path)), same_python=ours)
    return Entrypoint(file, entrypoint.object)
