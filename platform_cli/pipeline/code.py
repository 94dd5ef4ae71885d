"""Parses the server's own source, which findings are made from, without importing it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..config.project import Program, Project
from ..errors import SourceError
from ..project_files.imports import walk_modules
from ..project_files.modules import Module

# The number of places that a message lists before it counts the rest.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Code:
    """Is one parsed file; `path` is relative to the project folder."""

    path: str
    module: Module

    @property
    def tree(self) -> ast.Module:
        return self.module.tree

    def mentions(self, *words: bytes) -> bool:
        """Tells whether one of the words is in the text, which is cheaper to find out than by a walk
        through the tree.
        """
        return any(word in self.module.text for word in words)

    def place(self, node: ast.expr | ast.stmt) -> str:
        """Returns where `node` is: `server.py:12`."""
        return f"{self.path}:{node.lineno}"


def read_code(project: Project) -> tuple[Code, ...]:
    """Returns the module that is served or run, followed by the local modules that it imports.

    It is empty for programs in other languages, and for source that cannot be read, which is reported when it is
    loaded.
    """
    start = project.entrypoint.file if project.entrypoint else _file_of(project.folder, project.program)
    if start is None:
        return ()
    root = project.folder.resolve()
    try:
        modules = walk_modules(project.folder, start)
    except SourceError:
        return ()
    return tuple(Code(module.file.relative_to(root).as_posix(), module) for module in modules)


def _file_of(folder: Path, program: Program | None) -> str | None:
    if program is None:
        return None
    path = program.module.replace(".", "/")
    main: list[str] = [] if program.function else [f"{path}/__main__.py"]
    for place in (*main, f"{path}/__init__.py", f"{path}.py"):
        for root in ("", "src/"):
            if (folder / root / place).is_file():
                return f"{root}{place}"
    return None


def listed(names: Iterable[str]) -> str:
    """Returns the first NAMED names as text, with the number of the others."""
    known = list(names)
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return ", ".join(known[:NAMED]) + more


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
