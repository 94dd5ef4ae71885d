"""Finds the Python files that make or run a server, by reading their text and importing nothing."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from ..errors import SourceError
from ..project_files.imports import walk_modules
from ..project_files.sdk import SDK_MODULES
from ..project_files.syntax import called, last_name

_CLASSES = ("FastMCP", "MCPServer", "FastApiMCP")
_LOWLEVEL = "Server"
_SERVES = ("stdio_server", "streamable_http_app", "http_app", "sse_app")
# Modules whose `run` runs something other than a server.
_RUNNERS = ("asyncio", "anyio", "trio", "uvloop", "subprocess", "typer", "os")


class Role(IntEnum):
    """Says what a file has to do with a server."""

    NONE = 0
    MAKES = 1
    RUNS = 2


def role_of(file: Path) -> Role:
    """Returns what `file` itself does, whatever it imports."""
    tree = _parse(file)
    if tree is None:
        # The file is for another Python, or it has a mistake that the person has to see.
        return Role.MAKES if _mentions_mcp(file) else Role.NONE
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    classes = _class_names(tree)
    makes = any(_makes(call.func, classes) for call in calls)
    if not makes and not (_imports_sdk(tree) and any(called(call) in _SERVES for call in calls)):
        return Role.NONE
    return Role.RUNS if any(_runs(call.func) for call in calls) else Role.MAKES


def starts_server(root: Path, file: Path) -> bool:
    """Tells whether `file` only starts a server that other modules of the project make.

    Such a file reaches an SDK through them, and calls something as soon as it is run.
    """
    tree = _parse(file)
    if tree is None or _imports_sdk(tree) or not reaches_sdk(root, file):
        return False
    return any(isinstance(node, ast.Call) for statement in _started(tree) for node in ast.walk(statement))


def assigns(file: Path, name: str) -> bool:
    """Tells whether the module in `file` assigns a variable called `name`, which exists once the file was imported."""
    tree = _parse(file)
    statements = tree.body if tree else []
    targets = [target for node in statements if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in statements if isinstance(node, ast.AnnAssign)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def reaches_sdk(root: Path, file: Path) -> bool:
    """Tells whether `file`, or a module of the project that it imports, directly or not, imports an SDK of MCP."""
    try:
        modules = walk_modules(root, file.relative_to(root).as_posix())
    except SourceError:  # the file is for another Python
        return _mentions_mcp(file)
    return any(not found.level and _top(found.name) in SDK_MODULES for module in modules for found in module.imports)


def uses_sdk(file: Path) -> bool:
    """Tells whether `file` itself imports an SDK of MCP."""
    tree = _parse(file)
    return tree is not None and _imports_sdk(tree)


def local_modules(root: Path, file: Path) -> frozenset[Path]:
    """Returns the files of the project that `file` imports, directly or not, without itself."""
    try:
        modules = walk_modules(root, file.relative_to(root).as_posix())
    except SourceError:
        return frozenset()
    return frozenset(module.file for module in modules[1:])


def _parse(file: Path) -> ast.Module | None:
    try:
        source = file.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _mentions_mcp(file: Path) -> bool:
    try:
        return b"mcp" in file.read_bytes().lower()
    except OSError:
        return False


def _top(name: str | None) -> str:
    return (name or "").partition(".")[0]


def _imports_sdk(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and _top(node.module) in SDK_MODULES:
            return True
        if isinstance(node, ast.Import) and any(_top(alias.name) in SDK_MODULES for alias in node.names):
            return True
    return False


def _class_names(tree: ast.Module) -> set[str]:
    """Returns the names that the file has for the SDKs' server classes and for its own subclasses of them."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            known = (*_CLASSES, _LOWLEVEL) if _top(node.module) in SDK_MODULES else _CLASSES
            names |= {alias.asname or alias.name for alias in node.names if alias.name in known}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_makes(base, names) for base in node.bases):
            names.add(node.name)
    return names


def _makes(called: ast.expr, classes: set[str]) -> bool:
    """Tells whether a call makes a server: `FastMCP(...)`, `fastmcp.FastMCP(...)`, `FastMCP.from_openapi(...)` and the
    like.
    """
    match called:
        case ast.Name(id=name):
            return name in classes
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
            return owner in classes or attribute in _CLASSES or (_top(owner) in SDK_MODULES and attribute == _LOWLEVEL)
        case ast.Attribute(value=ast.Attribute() as owner_, attr=attribute):
            return attribute in _CLASSES or (attribute == _LOWLEVEL and _names_sdk(owner_))
        case ast.Subscript(value=generic):
            return _makes(generic, classes)
        case _:
            return False


def _names_sdk(owner: ast.expr) -> bool:
    while isinstance(owner, ast.Attribute):
        owner = owner.value
    return isinstance(owner, ast.Name) and owner.id in SDK_MODULES


def _runs(function: ast.expr) -> bool:
    """Tells whether a call runs a server: `mcp.run`, `mcp.run_async`, `uvicorn.run`, `stdio_server` and the like."""
    name = last_name(function)
    if name == "stdio_server":
        return True
    if not isinstance(function, ast.Attribute) or not (name in ("run", "serve") or name.startswith("run_")):
        return False
    return not (isinstance(function.value, ast.Name) and function.value.id in _RUNNERS)


def _started(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yields the statements that are executed when the file is run, without those of functions and classes."""
    for statement in tree.body:
        if not isinstance(
            statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom
        ):
            yield statement
