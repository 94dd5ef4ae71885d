"""Locks packages of npm, and installs them into the layer beside Python's."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ..config.package_json import npx_package, programs_of, read_package, run_file
from ..config.project import Project
from ..config.sources import NPM
from ..errors import BuildError, LayerError, LockError
from ..home import write_atomic
from ..temporary import temporary_folder
from .confined import confined, npm_cache, without_keys
from .model import Lock, NodePackages
from .node_locks import LOCKS, pinned
from .node_members import MODULES, is_member, merged_package
from .uv import mask

# The programs that look for packages in the folder they are started in.
PROGRAMS = ("node", "npx", "npm", "tsx", "ts-node", "bun")
TIMEOUT_S = 900.0
_QUIET = {"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false"}
_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
_YARN = "yarn.lock"
# The part of `npm ci`'s message about a lock that lacks something.
_OUT_OF_SYNC = "are in sync"
# The number of lines of a failed program's output that are shown, and of npm's own.
_SHOWN = 6
_TOLD = 3
_CODES = re.compile(r"(code|syscall|errno|path) \S+$|\d+$|A complete log of this run|command failed$")


class NpmError(BuildError):
    """Says that npm, or a script that it ran, failed: `path` is the folder of the package, empty if it named none."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message, hint="Run it by hand to see all that it says.")
        self.path = path


def lock_packages(project: Project, cache: Path) -> tuple[NodePackages | None, bool]:
    """Returns what npm installs for a program of Node, None for any other, and whether npm did not have to be asked.

    It is the project's own lock, else what npm resolves, with the versions in a lock of yarn, pnpm or bun if there is
    one; that is cached below `cache`. Raises LockError when npm cannot resolve the packages.
    """
    declared = _declared(project)
    if declared is None:
        return None, True
    # The project's own scripts would run without its files here; `build_app` runs its build script.
    workspace = is_member(project)
    declared = {key: value for key, value in declared.items() if key != "scripts"}
    npmrc = _text(project.folder / ".npmrc") or ""
    lock = None if workspace else next((text for name in _LOCKS if (text := _text(project.folder / name))), None)
    keeps = not lock and project.upgrade is None
    yarn = _text(project.folder / _YARN) if keeps else None
    others = ((name, _text(project.folder / name)) for name in LOCKS) if keeps and not yarn else ()
    other = next(((name, text) for name, text in others if text), None)
    package = json.dumps(pinned(declared, *other) if other else declared)
    remembered = cache / "locks" / f"{_hash(package, npmrc, yarn or '')}.json"
    known = lock or (_text(remembered) if project.upgrade is None else None)
    if known is None:
        known = _resolve(package, npmrc, yarn)
        write_atomic(remembered, known.encode())
        return NodePackages(package, known, npmrc, _version()), False
    return NodePackages(package, known, npmrc, _version()), True


def packages_origin(project: Project) -> str | None:
    """Returns what says which packages npm installs for a program of Node, in words; None for any other program."""
    if _declared(project) is None:
        return None
    if project.source.startswith(NPM):
        return project.source
    locks = [name for name in (*_LOCKS, _YARN, *LOCKS) if (project.folder / name).is_file()]
    return (locks or ["package.json" if read_package(project.folder) else "the command"])[0]


def _declared(project: Project) -> Mapping[str, object] | None:
    """Returns the package.json of a program of Node, or one with what its command runs: npx would fetch it at each
    start.
    """
    if not project.command or project.command[0] not in PROGRAMS:
        return None
    declared = merged_package(project) if is_member(project) else read_package(project.folder)
    if declared is None and (named := npx_package(project.command)):
        return {"private": True, "dependencies": dict([named])}
    return declared


def with_packages(lock: Lock, packages: NodePackages) -> Lock:
    """Returns `lock` with packages of npm, which are in the same layer."""
    identity = _hash(lock.hash, packages.package, packages.lock, packages.npmrc, packages.node)
    return replace(lock, packages=packages, hash=identity)


def install_packages(packages: NodePackages, folder: Path) -> None:
    """Installs node_modules into `folder`, the layer's, as `npm ci` does, or as `npm install` does if the lock lacks
    some.

    Raises LayerError if npm fails.
    """
    _write(packages.package, packages.lock, packages.npmrc, folder)
    try:
        _install(folder)
        if _has_scripts(packages.lock):
            _run_scripts(packages.lock, folder)
    except BuildError as error:
        raise LayerError(
            f"the packages of npm cannot be installed: {error.message}", hint="See that `npm install` works there."
        ) from None


def _install(folder: Path) -> None:
    try:
        _npm(["ci", "--ignore-scripts"], folder)
    except BuildError as error:
        # npm itself writes such locks: they lack optional packages that the registry does not have.
        if _OUT_OF_SYNC not in error.message:
            raise
        _npm(["install", "--ignore-scripts"], folder)


def find_program(project: Project, layer: Path) -> Project:
    """Returns the project with `npx NAME` replaced by the program of the package NAME that is installed in `layer`."""
    words = [word for word in project.command or () if word not in ("-y", "--yes")]
    if words[:1] != ["npx"] or len(words) < 2:
        return project
    scope, at, rest = words[1].rpartition("@")
    name = scope if at and scope else f"{at}{rest}"
    package = read_package(layer / MODULES / name)
    programs = list(programs_of(package).values()) if package else []
    if len(programs) != 1:
        return project
    return replace(project, command=(*run_file(programs[0], f"{MODULES}/{name}"), *words[2:]))


def _run_scripts(lock: str, folder: Path) -> None:
    """Runs the installed packages' own scripts, and removes an optional package whose script fails, as npm does."""
    packages = json.loads(lock).get("packages") or {}
    optional = {path for path, package in packages.items() if package.get("optional")}
    while True:
        try:
            return npm_with_scripts(["rebuild"], folder)
        except NpmError as error:
            failed = next((path for path in optional if error.path.endswith(f"/{path}")), None)
            if failed is None:
                raise
            optional.remove(failed)
            shutil.rmtree(folder / failed)


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _hash(*texts: str) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _write(package: str, lock: str | None, npmrc: str, folder: Path, yarn: str | None = None) -> None:
    for name, text in (("package.json", package), ("package-lock.json", lock), (".npmrc", npmrc), (_YARN, yarn)):
        if text:
            (folder / name).write_text(text, encoding="utf-8")


def _resolve(package: str, npmrc: str, yarn: str | None) -> str:
    with temporary_folder("npm") as folder:
        _write(package, None, npmrc, folder, yarn)
        try:
            _npm(["install", "--package-lock-only", "--ignore-scripts"], folder)
        except BuildError as error:
            raise LockError(
                f"the packages of npm cannot be resolved: {error.message}", hint="Check the names and the network."
            ) from None
        return (folder / "package-lock.json").read_text(encoding="utf-8")


def _version() -> str:
    """Returns Node's major version, for which compiled packages are built."""
    return _run(["node", "--version"]).partition(".")[0]


def _has_scripts(lock: str) -> bool:
    """Tells whether a package in the lock has scripts that run when it is installed; a lock of version 1
    may have some.
    """
    packages = json.loads(lock).get("packages")
    return packages is None or any(package.get("hasInstallScript") for package in packages.values())


def _npm(args: Sequence[str], folder: Path) -> None:
    """Runs npm with its shared cache, for commands that run no code of packages."""
    _run(["npm", *args], folder, cache=npm_cache())


def npm_with_scripts(args: Sequence[str], folder: Path, layer: Path | None = None) -> None:
    """Runs npm with a cache of its own, for commands that run code of packages, which could change the cache for
    others. Raises NpmError if it fails.
    """
    with temporary_folder("npm") as cache:
        _run(["npm", *args], folder, layer, cache, {"npm_config_cache": str(cache)})


def _run(
    command: Sequence[str],
    folder: Path | None = None,
    layer: Path | None = None,
    cache: Path | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Runs `command`, which may write to `folder` and `cache`, and returns its output.

    Raises BuildError if it fails, takes too long, or is not installed.
    """
    program = shutil.which(command[0])
    if program is None:
        raise BuildError(f"{command[0]} is not installed", hint="Install Node.js: https://nodejs.org")
    try:
        done = subprocess.run(
            confined(
                [program, *command[1:]],
                writable=[path for path in (folder, cache) if path],
                read_only=[layer] if layer else [],
            ),
            cwd=folder,
            env=without_keys(os.environ) | _QUIET | dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"`{' '.join(command)}` took longer than {TIMEOUT_S:g} s", hint="Run it by hand.") from None
    if done.returncode:
        said = mask("\n".join(_reason(done.stdout, done.stderr)))
        path = re.search(r"(?m)^npm (?:error|ERR!) path (.+)$", done.stderr)
        raise NpmError(f"`{' '.join(command)}` failed:\n{said}", path[1] if path else "")
    return done.stdout


def _reason(stdout: str, stderr: str) -> list[str]:
    """Returns the last lines of the script that npm ran, else the first of npm's own that are more than a code."""
    script = [line for line in stdout.splitlines() if line.strip() and not line.startswith("> ")]
    others = [line for line in stderr.splitlines() if line.strip() and not line.startswith("npm ")]
    own = [line.removeprefix("npm error").strip() for line in stderr.splitlines() if line.startswith("npm error")]
    return [*script, *others][-_SHOWN:] or [line for line in own if line and not _CODES.match(line)][:_TOLD]
