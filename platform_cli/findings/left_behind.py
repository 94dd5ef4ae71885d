"""Finds files and folders that the code names and that ignore files keep out of a deploy."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from ..config.project import Project
from ..pipeline.code import Code, listed
from ..project_files.ignore import Included, why_left
from ..project_files.syntax import called
from .model import Finding

# Longer texts are no paths.
_MAX_PATH = 200
# The bytes that file systems allow in a name: a text of 200 characters may have more.
_MAX_NAME = 255
# Functions whose arguments are paths, even if they are a single word.
_TAKES_PATHS = frozenset({"Path", "PurePath", "open", "join", "joinpath", "connect", "read_csv", "exists", "listdir"})
# The endings of files that servers write themselves.
_OWN = (".log", ".pid", ".lock")


def find_left_behind(project: Project, code: Iterable[Code]) -> Iterator[Finding]:
    """Yields one finding with the ignored paths that exist now, so that the code finds them only when it is run by
    hand.
    """
    root, included = project.folder.resolve(), Included(project.include)
    found: dict[str, str] = {}
    for each in code:
        for node, text in _paths(each.tree):
            for path in _existing(root, each.path, text):
                if path not in found and why_left(root, path, included):
                    found[path] = each.place(node)
    if found:
        shown = listed(f"{path} ({place})" for path, place in found.items())
        yield Finding("left-behind", f"named by the code, and ignored, so it stays behind: {shown}", bring(*found))


def bring(*paths: str) -> str:
    """Returns the hint that says how to deploy ignored paths."""
    quoted = ", ".join(f'"{path}"' for path in paths)
    return f"include = [{quoted}] under [deployment] in fastmcp.toml brings {'it' if len(paths) == 1 else 'them'}"


def named_paths(code: Iterable[Code]) -> Iterator[str]:
    """Yields the paths that the code names, whether they exist or not."""
    return (path for each in code for _, path in _paths(each.tree))


def _existing(root: Path, module: str, text: str) -> Iterator[str]:
    """Yields the existing paths that `text` may name, relative to the project or to the folder of `module`."""
    for base in dict.fromkeys((PurePosixPath(), PurePosixPath(module).parent)):
        path = str(base / text)
        if (root / path).exists() and path != ".":
            yield path


def _paths(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    words: set[int] = set()
    for node in ast.walk(tree):  # outer expressions come before the texts in them
        match node:
            case ast.BinOp(op=ast.Div(), right=right):
                words.add(id(right))
            case ast.Call() if called(node) in _TAKES_PATHS:
                words.update(map(id, node.args))
            case ast.Constant(value=str(text)) if 0 < len(text) <= _MAX_PATH:
                path = text.strip("/")
                if _may_be_path(path) and ("/" in path or "." in path or id(node) in words):
                    yield node, path


def _may_be_path(path: str) -> bool:
    if not path or path.startswith(".env") or path.endswith(_OWN):
        return False
    parts = path.split("/")
    too_long = any(len(part.encode(errors="replace")) > _MAX_NAME for part in parts)
    return not too_long and not any(character in path for character in "\0\n:") and ".." not in parts
