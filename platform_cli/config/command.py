"""Translates a command line that ends in Python into what Python runs, so that it is served in process and not over
stdio.

It knows `python server.py`, `python -m package`, `uv run ...`, `uvx ...`, `fastmcp run ...`, `mcp run ...` and `uvicorn
m:app`. A command with an option that homeport does not know, and that may change what runs, stays a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from .project import Entrypoint, Program, Project
from .readers import runs as fields_of
from .scripts import module_file

_PYTHON = re.compile(r"python(3(\.\d+)?)?")
# The packages that uvx takes by name: `name`, `name[extra]==1`, `name@1`; paths and URLs do not match.
_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?(?:@(?P<at>[\w.!+-]+)|(?P<versions>[=<>!~].*))?")

# For each tool, the options with a value, then the flags that do not change what runs.
_UV_VALUES = {"with", "python", "p", "extra", "group", "directory", "project", "from"}
_UV_FLAGS = {
    "frozen", "locked", "no-sync", "quiet", "q", "no-project", "isolated", "no-dev", "active", "offline", "no-cache",
    "n", "no-progress", "refresh", "upgrade", "U", "exact", "native-tls", "verbose", "v", "no-config", "managed-python",
}  # fmt: skip
_RUN_VALUES = {
    "transport",
    "t",
    "host",
    "port",
    "p",
    "path",
    "log-level",
    "l",
    "with",
    "python",
    "project",
    "environment",
}
_RUN_FLAGS = {"no-banner", "reload", "no-reload", "skip-env", "skip-source", "stateless"}
_UVICORN_VALUES = {
    "host", "port", "workers", "log-level", "root-path", "ws", "loop", "http", "lifespan", "interface", "uds", "fd",
    "timeout-keep-alive", "timeout-graceful-shutdown", "limit-concurrency", "backlog", "forwarded-allow-ips",
    "reload-dir",
}  # fmt: skip
_UVICORN_FLAGS = {"reload", "factory", "access-log", "no-access-log", "proxy-headers", "no-proxy-headers", "use-colors",
                  "no-use-colors", "no-server-header", "no-date-header"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """Holds what a command runs: a file, a program, or a script by its name.

    `directory` is where it runs, relative or absolute; None for the folder in which the command was typed.
    """

    runs: Entrypoint | Program | str
    args: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    directory: str | None = None
    python_version: str | None = None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def apply(self, project: Project) -> Project:
        """Returns `project` with this run in place of its command."""
        target = self.runs
        if self.directory and isinstance(target, Entrypoint):
            target = replace(target, file=str(PurePosixPath(self.directory, target.file)))
        return self.adds(replace(project, **{"program": None, "script": None, "command": None} | fields_of(target)))

    def adds(self, project: Project) -> Project:
        """Returns `project` with the arguments, packages and Python version that the command names."""
        return replace(
            project,
            args=(*self.args, *project.args),
            dependencies=(*project.dependencies, *self.dependencies),
            python_version=project.python_version or self.python_version,
            extras=(*project.extras, *self.extras),
            groups=(*project.groups, *self.groups),
        )


def translate(words: Sequence[str], folder: Path) -> Run | None:
    """Returns what the command `words`, typed in `folder`, runs; None when it has to stay a command."""
    if not words:
        return None
    name = PurePosixPath(words[0]).name
    reader = _python if _PYTHON.fullmatch(name) else _READERS.get(name)
    return reader(list(words[1:]), folder) if reader else None


def package_name(requirement: str) -> str | None:
    """Returns the name in a requirement as uvx takes it, None for a path or a URL."""
    match = _PACKAGE.fullmatch(requirement)
    return match[1] if match else None


def as_requirement(package: str) -> str:
    """Returns uvx's `name@1.2` in the form of pip, `name==1.2`; `name@latest` becomes `name`."""
    match = _PACKAGE.fullmatch(package)
    if match is None or match["at"] is None:
        return package
    version = "" if match["at"] == "latest" else f"=={match['at']}"
    return f"{match[1]}{match[2] or ''}{version}"


def _python(words: list[str], folder: Path) -> Run | None:
    while words and words[0] in ("-u", "-B", "-E", "-s", "-O", "-I"):
        words = words[1:]
    if len(words) > 1 and words[0] == "-m":
        return translate(words[1:], folder) if words[1] in _TOOLS else Run(Program(words[1]), tuple(words[2:]))
    if not words or words[0].startswith("-"):
        return None
    return Run(Entrypoint(words[0]), tuple(words[1:]))


def _uv(words: list[str], folder: Path) -> Run | None:
    """Translates `uv [options] run ...` and `uv tool run ...`."""
    before = _options(words, _UV_VALUES, _UV_FLAGS)
    if before is None or not before.rest:
        return None
    if before.rest[0] == "run":
        return _uv_run(words[: len(words) - len(before.rest)] + before.rest[1:], folder)
    return _uvx(before.rest[2:], folder) if before.rest[:2] == ["tool", "run"] else None


def _uv_run(words: list[str], folder: Path) -> Run | None:
    found = _options(words, _UV_VALUES, {*_UV_FLAGS, "m", "module", "s", "script"})
    if found is None or not found.rest or found.values("from"):
        return None
    directory = next(iter(found.values("directory", "project")), None)
    inner = folder / directory if directory else folder
    first, *others = found.rest
    if found.flags & {"m", "module"}:
        run = _python(["-m", *found.rest], inner)
    elif found.flags & {"s", "script"} or first.endswith(".py"):
        run = _python(found.rest, inner)
    elif PurePosixPath(first).name in _READERS or _PYTHON.fullmatch(PurePosixPath(first).name):
        run = translate(found.rest, inner)
    else:
        run = Run(first, tuple(others))
    return run and replace(
        run,
        directory=directory,
        dependencies=(*found.values("with"), *run.dependencies),
        python_version=next(iter(found.values("python", "p")), None),
        extras=found.values("extra"),
        groups=found.values("group"),
    )


def _uvx(words: list[str], folder: Path) -> Run | None:
    found = _options(words, _UV_VALUES, _UV_FLAGS)
    if found is None or not found.rest or found.values("directory", "project"):
        return None
    origin = next(iter(found.values("from")), None)
    package = as_requirement(origin or found.rest[0])
    name = package_name(package)
    if name is None and package != ".":
        return None
    script = found.rest[0] if origin else name or ""
    run = translate([script, *found.rest[1:]], folder) if script in _TOOLS else Run(script, tuple(found.rest[1:]))
    return run and replace(
        run,
        dependencies=(*(() if package == "." else (package,)), *found.values("with"), *run.dependencies),
        python_version=next(iter(found.values("python", "p")), None),
    )


def _run_file(words: list[str], _folder: Path) -> Run | None:
    """Translates `fastmcp run server.py[:object]` and `mcp run ...`, without the options that say how
    clients reach it.
    """
    if words[:1] != ["run"]:
        return None
    cut = words.index("--") if "--" in words else len(words)
    found = _options(words[1:cut], _RUN_VALUES, _RUN_FLAGS, mixed=True)
    if found is None or len(found.rest) != 1:
        return None
    file, _, name = found.rest[0].partition(":")
    if not file.endswith(".py") or (name and not name.isidentifier()):
        return None
    return Run(Entrypoint(file, name or None), tuple(words[cut + 1 :]), found.values("with"))


def _uvicorn(words: list[str], folder: Path) -> Run | None:
    found = _options(words, _UVICORN_VALUES, _UVICORN_FLAGS, mixed=True)
    module, _, name = found.rest[0].partition(":") if found and len(found.rest) == 1 else ("", "", "")
    file = module_file(folder, module) if module and name.isidentifier() else None
    return Run(Entrypoint(file.relative_to(folder).as_posix(), name)) if file else None


_READERS: dict[str, Callable[[list[str], Path], Run | None]] = {
    "uv": _uv, "uvx": _uvx, "fastmcp": _run_file, "mcp": _run_file, "uvicorn": _uvicorn,
}  # fmt: skip
_TOOLS = ("fastmcp", "mcp", "uvicorn")


@dataclass(frozen=True, slots=True)
class _Options:
    given: tuple[tuple[str, str], ...]
    flags: frozenset[str]
    rest: list[str]

    def values(self, *names: str) -> tuple[str, ...]:
        return tuple(value for name, value in self.given if name in names)


def _options(words: Sequence[str], valued: set[str], plain: set[str], *, mixed: bool = False) -> _Options | None:
    """Separates options from the words that follow them, or with `mixed` stand between them.

    Returns None when an option is neither among the `valued` nor the `plain` ones.
    """
    given: list[tuple[str, str]] = []
    flags: set[str] = set()
    rest: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if word == "--":
            return _Options(tuple(given), frozenset(flags), [*rest, *waiting])
        if not word.startswith("-"):
            rest.append(word)
            if not mixed:
                return _Options(tuple(given), frozenset(flags), [*rest, *waiting])
        elif name in plain and not equals:
            flags.add(name)
        elif name in valued and (equals or waiting):
            given.append((name, value if equals else waiting.pop(0)))
        else:
            return None
    return _Options(tuple(given), frozenset(flags), rest)
