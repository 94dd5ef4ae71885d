"""Chooses what a project runs when nobody names it: what a person would run by hand.

The candidates, in this order, are the project's console script, its package with a __main__.py, its server file, and
the program of its package.json. When several could be meant, the error lists the command for each. A file that only
mentions MCP is never run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import SourceError
from ..project_files.ignore import never_taken
from .names import slugify
from .node_workspace import read_workspace
from .offers import offered_commands
from .package_json import package_program, uses_node_sdk
from .paths import typed
from .project import Entrypoint, Program
from .pyproject import project_name
from .root import Root, is_marked
from .scripts import SOURCES, console_scripts, module_file
from .server_files import Role, local_modules, reaches_sdk, role_of, starts_server, uses_sdk

_Candidate = TypeVar("_Candidate")

_EXACT = ("server.py", "main.py", "app.py")
# Folders with code that belongs to a project without being its server.
_ASIDE = frozenset({"tests", "test", "examples", "example", "docs", "doc", "benchmarks", "build", "dist", "vendor"})
_DEEPEST = 4
_MOST_FILES = 2000


class NoServerError(SourceError):
    """Says that nothing was found that could be the server."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Holds what runs, the name by which a person knows it, and why it was chosen."""

    runs: Entrypoint | Program | tuple[str, ...]
    shown: str
    why: str

    def __str__(self) -> str:
        return f"runs {self.shown} ({self.why})"


def choose(root: Root) -> Choice:
    """Returns what the project at `root` runs.

    Raises SourceError when nothing was found, or several things that could be meant.
    """
    for look in (_console_script, _package, server_file, _node_program, _called_server):
        if found := look(root, root.package):
            return found
    raise _nothing(root.package)


def package_with_server(root: Root) -> Path | None:
    """Returns the folder of the package that is the server in a workspace of Node whose root runs nothing itself.

    Raises SourceError when several could be it.
    """
    packages = read_workspace(root.folder).packages
    found = [path for path in packages if uses_node_sdk(packages[path]) and package_program(root.folder / path)]
    if len(found) > 1:
        raise _several(root.folder, "packages", found, "/")
    return root.folder / found[0] if found else None


def named_program(root: Root, name: str) -> Program | None:
    """Returns the project's own program called `name`: a console script, else a module that `python -m` runs."""
    for script in console_scripts(root.package):
        if script.name == name:
            return script.program
    return Program(name) if module_file(root.package, name) else None


def _console_script(root: Root, package: Path) -> Choice | None:
    scripts = console_scripts(package)
    files = {script.name: module_file(package, script.program.module) for script in scripts}
    # A module whose file cannot be found may be a server; one that is found and reaches no SDK is none.
    servers = [script for script in scripts if (file := files[script.name]) is None or reaches_sdk(root.folder, file)]
    own = slugify(project_name(package) or "")
    # A script that has its project's name, with "mcp" in it, is its server, whichever SDK it uses.
    named = [script for script in scripts if slugify(script.name) == own and "mcp" in script.name.lower()]
    found = named or _narrow(
        servers,
        lambda script: slugify(script.name) == own,
        lambda script: "mcp" in script.name.lower(),
        lambda script: "server" in script.name.lower(),
        lambda script: files[script.name] is not None,
    )
    if not found:
        return None
    if len({(script.program.module, script.program.function) for script in found}) > 1:
        raise _several(package, "console scripts", [script.name for script in found], ":")
    return Choice(found[0].program, found[0].name, found[0].origin)


def _package(root: Root, package: Path) -> Choice | None:
    files = [file for base in (package, *(package / name for name in SOURCES)) for file in base.glob("*/__main__.py")]
    names = sorted(
        file.parent.name
        for file in files
        if file.parent.name.isidentifier() and file.parent.name not in _ASIDE and reaches_sdk(root.folder, file)
    )
    if len(names) > 1:
        raise _several(package, "packages", names, ":")
    return Choice(Program(names[0]), f"python -m {names[0]}", "its __main__.py") if names else None


def server_file(root: Root, folder: Path) -> Choice | None:
    """Returns the server file of the project at `root` that is in `folder` or below it.

    Raises SourceError when several files could be the server.
    """
    for files in _levels(folder):
        roles = {file: _role(root, file) for file in files}
        found = _likeliest(root, {file: role for file, role in roles.items() if role})
        if len(found) > 1:
            raise _several(folder, "files", list(dict.fromkeys(_offered(folder, file) for file in found)), "/")
        if found:
            name = found[0].relative_to(root.folder).as_posix()
            why = "it runs a server" if roles[found[0]] is Role.RUNS else "it has a server"
            return Choice(Entrypoint(name), name, why)
    return None


def _offered(folder: Path, file: Path) -> str:
    """Returns what to type for a server file below `folder`: the folder of its own project where it has one, else the
    file.
    """
    for above in file.parents:
        if above == folder:
            break
        if is_marked(above):
            return above.relative_to(folder).as_posix()
    return file.relative_to(folder).as_posix()


def _likeliest(root: Root, roles: Mapping[Path, Role]) -> Sequence[Path]:
    imported = frozenset[Path]().union(*(local_modules(root.folder, file) for file in roles))
    return _narrow(
        list(roles),
        lambda file: file.resolve() not in imported,
        _is_usual,
        lambda file: roles[file] is Role.RUNS,
        lambda file: file.name in _EXACT,
    )


def _node_program(root: Root, package: Path) -> Choice | None:
    found = package_program(package, root.member)
    return Choice(found.command, " ".join(found.command), found.origin) if found else None


def _called_server(root: Root, package: Path) -> Choice | None:
    """Returns a server.py that no other rule found, whose mistakes are reported when it is read or run."""
    file = package / "server.py"
    name = file.relative_to(root.folder).as_posix()
    return Choice(Entrypoint(name), name, "it is called so") if file.is_file() else None


def _narrow(candidates: Sequence[_Candidate], *tests: Callable[[_Candidate], bool]) -> Sequence[_Candidate]:
    """Applies each test in turn and keeps the candidates that pass; a test that all of them fail is skipped."""
    for test in tests:
        candidates = [candidate for candidate in candidates if test(candidate)] or candidates
    return candidates


def _role(root: Root, file: Path) -> Role:
    role = role_of(file)
    if role is Role.NONE and file.name in _EXACT and starts_server(root.folder, file):
        return Role.RUNS
    # A server.py that uses an SDK is taken for the server, even if no call in it is known to make one.
    return role or (Role.MAKES if file.name == "server.py" and uses_sdk(file) else Role.NONE)


def _is_usual(file: Path) -> bool:
    return file.name in _EXACT or file.stem.endswith("_server") or "mcp" in file.stem.lower()


def _levels(folder: Path) -> Iterator[list[Path]]:
    """Yields the Python files that could be servers, nearest folders first: `folder` itself, then a package or src in
    it.
    """
    seen = 0
    level = [folder]
    for depth in range(_DEEPEST):
        # A source folder such as src does not count as a level: src/server.py is as near as server.py in a package.
        level += [base / name for base in level if depth for name in SOURCES if (base / name).is_dir()]
        files = [file for base in level for file in sorted(base.glob("*.py")) if _is_candidate(file)]
        seen += len(files)
        if seen > _MOST_FILES:
            return
        yield files
        level = [
            child for base in level for child in sorted(base.iterdir()) if _is_searched(child) and child not in level
        ]


def _is_candidate(file: Path) -> bool:
    name = file.name
    aside = name.startswith(("test_", "__")) or name.endswith("_test.py") or name in ("setup.py", "conftest.py")
    return not aside and file.is_file()


def _is_searched(folder: Path) -> bool:
    name = folder.name
    hidden = name.startswith(".") or name in _ASIDE or never_taken(name) or folder.is_symlink()
    return not hidden and folder.is_dir() and not (folder / "pyvenv.cfg").exists()


def _several(folder: Path, what: str, names: Sequence[str], separator: str) -> SourceError:
    commands = "\n".join(f"    homeport deploy {_argument(folder, name, separator)}" for name in names)
    return SourceError(
        f"{typed(folder)}: several {what} could be the server: {', '.join(names)}", hint=f"Name one:\n{commands}"
    )


def _argument(folder: Path, name: str, separator: str) -> str:
    return typed(folder / name) if separator == "/" else f"{typed(folder)}{separator}{name}"


def _nothing(folder: Path) -> NoServerError:
    files = sorted(file.name for file in folder.glob("*.py") if file.is_file())
    seen = f" among {', '.join(files)}" if files else ", and no Python file at all"
    hints = [
        f'{origin} runs a command. To deploy that, write a fastmcp.toml:\n    [deployment]\n    command = "{command}"'
        for origin, command in offered_commands(folder)
    ]
    return NoServerError(
        f"{typed(folder)}: no server found{seen if not hints else ''}",
        hint="\n".join(hints) or f"Name the server file: homeport deploy {typed(folder / 'server.py')}",
    )
