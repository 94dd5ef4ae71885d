"""Parses one file of a project and finds what it imports, whether the code can do without it or not."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import SourceError
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
    return any(is_third_party(found.name) for found in replacements if not found.level)


def top_name(name: str) -> str:
    """Returns the first part of a dotted name."""
    return name.partition(".")[0]


def is_third_party(name: str) -> bool:
    """Tells whether a dotted name is not the standard library's."""
    top = top_name(name)
    return top not in sys.stdlib_module_names and not top.startswith("_")
