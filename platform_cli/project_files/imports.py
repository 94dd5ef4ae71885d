"""Reads from a server's source which local modules and which requirements it imports, and imports nothing.

A module is local if it lies beside the server file, in a folder on the way up to the project's, in the project's src/,
or, when no known distribution contains it, anywhere else in the project, since programs extend sys.path.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import SourceError
from .distributions import distribution
from .ignore import never_taken
from .sdk import SDK_MODULES, sdk_requirements
from .syntax import called, keyword, text_of

_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_HTTP_SERVERS = (b"uvicorn", b"hypercorn", b"granian")
_APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_EXITS = {"exit", "_exit", "quit", "abort"}


@dataclass(frozen=True, slots=True)
class Import:
    """Is one import statement's name.

    `name` is dotted, with the imported name as its last part (`from a.b import c` is `a.b.c`). `level` counts the dots
    of a relative import. `optional` means that the code can do without it.
    """

    name: str
    level: int
    optional: bool
    line: int


@dataclass(frozen=True, slots=True)
class Module:
    """Is one parsed file of the project; `text` is its content."""

    file: Path
    text: bytes
    tree: ast.Module
    imports: tuple[Import, ...]


def infer_requirements(folder: Path, entrypoint: str, own_names: Collection[str] = ()) -> tuple[str, ...]:
    """Returns the sorted requirements of `entrypoint` (relative to `folder`) and of the local modules it imports.

    It leaves out the standard library, local modules, the project's own distributions (`own_names`), what only type
    checkers import, and imports the code can do without (`try: import x` / `except ImportError: x = None`). An import
    whose handler raises or exits is needed; of two alternatives the first is taken. For the limits on mcp and fastmcp
    see sdk_requirements.

    Raises SourceError when the file cannot be read or parsed, or needs a module that the table of distributions does
    not have, since a guessed name is never installed.
    """
    # Imported late: `packaging` takes a twentieth of the time of a redeploy, which seldom needs it.
    from packaging.utils import canonicalize_name

    root = folder.resolve()
    modules = walk_modules(folder, entrypoint)
    roots = _roots(root, modules[0].file)
    own = {canonicalize_name(name) for name in own_names}
    needed: dict[str, str] = {}
    guarded: set[str] = set()
    for module in modules:
        for found in module.imports:
            if found.level or not _third_party(found.name) or _local(roots, found.name, root):
                continue
            if canonicalize_name(_top(found.name)) in own:
                continue
            if found.optional:
                guarded.add(found.name)
            else:
                needed.setdefault(found.name, f"{module.file.relative_to(root).as_posix()}, line {found.line}")
    wanted = set(needed)
    if not any(_top(name) in SDK_MODULES for name in wanted):
        # A server needs an SDK, so `try: from fastmcp import ...` means that it wants this one.
        wanted |= {name for name in guarded if _top(name) in SDK_MODULES}
    others = {name: distribution(name) for name in wanted if _top(name) not in SDK_MODULES}
    _refuse_unknown({name: needed[name] for name, known in others.items() if known is None}, root)
    sdk = sdk_requirements([module.tree for module in modules], wanted)
    return tuple(sorted({*filter(None, others.values()), *sdk}))


def _refuse_unknown(unknown: dict[str, str], root: Path) -> None:
    places: dict[str, str] = {}
    for name, where in unknown.items():
        places.setdefault(_top(name), where)
    lines = [f"{where}: `{name}`" for name, where in sorted(places.items()) if not _anywhere(root, name)]
    if lines:
        more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
        raise SourceError(
            f"{'; '.join(lines[:3])}{more}: no module of the project, and no package that homeport knows by this name",
            hint="List what the server needs in requirements.txt, or in [project] dependencies of pyproject.toml: an "
            "unknown name is never installed from PyPI, where anybody may register it.",
        )


def _anywhere(root: Path, name: str) -> bool:
    """Tells whether any folder of the project contains the module, since the program may extend sys.path."""
    if root in (Path.home().resolve(), Path(root.anchor)):
        return False
    for folder, folders, files in os.walk(root):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = [child for child in folders if not never_taken(child)]
        if f"{name}.py" in files or (name in folders and any(Path(folder, name).rglob("*.py"))):
            return True
    return False


def imported_names(folder: Path, modules: Sequence[Module]) -> tuple[str, ...]:
    """Returns the sorted dotted names that `modules`, the server's first, import from installed packages:
    `fastmcp.FastMCP`.
    """
    if not modules:
        return ()
    root = folder.resolve()
    roots = _roots(root, modules[0].file)
    return tuple(
        sorted(
            {
                found.name
                for module in modules
                for found in module.imports
                if not found.level and _third_party(found.name) and not _local(roots, found.name, root)
            }
        )
    )


def local_files(folder: Path, entrypoint: str) -> tuple[str, ...]:
    """Returns `entrypoint` and the local modules it imports, directly or not, as sorted POSIX paths relative to
    `folder`.
    """
    root = folder.resolve()
    return tuple(sorted({module.file.relative_to(root).as_posix() for module in walk_modules(folder, entrypoint)}))


def walk_modules(folder: Path, entrypoint: str) -> list[Module]:
    """Returns the server's module, followed by each local module within `folder` that it imports, directly or not.

    Raises SourceError when the server's file is missing, outside of the folder, or has a syntax error. A local module
    that cannot be parsed is skipped: the inspection reports it if it is really imported.
    """
    root = folder.resolve()
    start = (root / entrypoint).resolve()
    if not start.is_file() or not start.is_relative_to(root):
        raise SourceError(
            f"{entrypoint} is not a file in {folder}", hint="Name the server file: `homeport deploy server.py`."
        )
    roots = _roots(root, start)
    modules = [parse_module(start, entrypoint)]
    seen = {start}
    for module in modules:  # grows while it is walked
        for file in _imported_files(module, roots, root):
            if file in seen:
                continue
            seen.add(file)
            try:
                modules.append(parse_module(file, file.name))
            except SourceError:
                continue
    return modules


def parse_module(file: Path, shown: str) -> Module:
    """Parses a file, and raises SourceError when it is not Python of this interpreter's version."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the user's escapes; Python shows them where the file is imported
            text = file.read_bytes()
            tree = ast.parse(text)
    except SyntaxError as error:
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SourceError(
            f"{shown}, line {error.lineno or 1}, column {error.offset or 1}: {error.msg}",
            hint=f"It was read with Python {running}; if its syntax is newer, list what it needs in requirements.txt.",
        ) from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise SourceError(f"{shown} cannot be read as Python: {error}") from error
    imports = [
        *_imports(tree.body, optional=False),
        *(_served(tree) if any(word in text for word in _HTTP_SERVERS) else ()),
    ]
    return Module(file, text, tree, tuple(imports))


def _served(tree: ast.Module) -> Iterator[Import]:
    """Yields what an HTTP server imports by its name: `uvicorn.run("app.main:create")` imports `app.main.create`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in ("run", "Config"):
            given = text_of(node.args[0] if node.args else keyword(node, "app"))
            if given is not None and _APP.fullmatch(given):
                yield Import(given.replace(":", "."), 0, optional=True, line=node.lineno)


def _imports(nodes: list[ast.stmt], *, optional: bool) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import():
                yield from (Import(alias.name, 0, optional, node.lineno) for alias in node.names)
            case ast.ImportFrom():
                base = f"{node.module}." if node.module else ""
                yield from (Import(base + alias.name, node.level, optional, node.lineno) for alias in node.names)
            case ast.If() if _type_checking(node.test):
                yield from _imports(node.orelse, optional=optional)
            case ast.Try() | ast.TryStar() if any(_catches_import_error(handler) for handler in node.handlers):
                yield from _imports(node.body, optional=optional or not _needed(node))
                fallback = [statement for handler in node.handlers for statement in handler.body]
                yield from _imports(fallback, optional=True)
                yield from _imports([*node.orelse, *node.finalbody], optional=optional)
            case _:
                yield from _imports(_inner(node), optional=optional)


def _inner(node: ast.AST) -> list[ast.stmt]:
    """Returns the statements directly within a compound statement, including those of handlers and match cases."""
    found: list[ast.stmt] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            found.append(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            found += child.body
    return found


def _type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in _IMPORT_ERRORS) for kind in kinds)


def _needed(node: ast.Try | ast.TryStar) -> bool:
    """Tells whether the code needs what the `try` imports: its handler ends the program, or imports a replacement."""
    for handler in node.handlers:
        for inner in ast.walk(handler):
            if isinstance(inner, ast.Raise):
                return True
            if isinstance(inner, ast.Call) and called(inner) in _EXITS:
                return True
    replacements = _imports([statement for handler in node.handlers for statement in handler.body], optional=False)
    return any(_third_party(found.name) for found in replacements if not found.level)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _third_party(name: str) -> bool:
    top = _top(name)
    return top not in sys.stdlib_module_names and not top.startswith("_")


def _roots(root: Path, start: Path) -> list[Path]:
    place = start.parent
    while place != root and (place / "__init__.py").is_file():
        place = place.parent
    above = [folder for folder in start.parents if folder.is_relative_to(root)]
    return list(dict.fromkeys([place, *above, root / "src"]))


def _local(roots: list[Path], name: str, root: Path) -> bool:
    return next(_files_of(roots, name, root), None) is not None


def _imported_files(module: Module, roots: list[Path], root: Path) -> Iterator[Path]:
    for found in module.imports:
        if found.level == 0:
            yield from _files_of(roots, found.name, root)
            continue
        package = module.file.parent
        for _ in range(found.level - 1):
            package = package.parent
        if package.is_relative_to(root):
            yield from _files_of([package], found.name, root)
            initial = package / "__init__.py"
            if _inside(initial, root):
                yield initial.resolve()


def _files_of(roots: list[Path], name: str, root: Path) -> Iterator[Path]:
    """Yields the files that importing dotted `name` runs, from the first of `roots` that has it; none if it is not
    local.

    A folder without __init__.py counts only by the module found within it, since an installed package takes precedence.
    """
    for place in roots:
        files: list[Path] = []
        for part in name.split("."):
            place = place / part  # noqa: PLW2901  one step down for each part
            if _inside(place.with_name(f"{part}.py"), root) and not (place / "__init__.py").is_file():
                files.append(place.with_name(f"{part}.py"))
                break
            if not place.is_dir():
                break
            if _inside(place / "__init__.py", root):
                files.append(place / "__init__.py")
        if files:
            yield from (file.resolve() for file in files)
            return


def _inside(file: Path, root: Path) -> bool:
    return file.is_file() and file.resolve().is_relative_to(root)
