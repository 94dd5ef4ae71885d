"""Waits for saves, and decides which of them reload the server.

Code, configuration and templates do, among the files that a deploy would take. Data does not: what a server writes into
its own folder must not restart it, and it reads its data from that folder anyway.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from pathlib import Path

from ..config.project import Project
from ..errors import SourceError
from ..project_files.ignore import never_taken

SUFFIXES = frozenset(
    {".py", ".toml", ".yaml", ".yml", ".j2", ".jinja", ".jinja2", ".html", ".sql", ".sh",
     ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"}
)  # fmt: skip
NAMES = frozenset({"fastmcp.json", "package.json", "uv.lock", ".gitignore", ".homeportignore"})
# Milliseconds: a save is complete after QUIET_MS without a change, consecutive saves are gathered for GATHER_MS, and
# the folder is first checked FIRST_LOOK_MS after watching has begun.
QUIET_MS = 30
GATHER_MS = 300
FIRST_LOOK_MS = 200


def reloads(path: str, project: Project) -> bool:
    """Tells whether a change of the file `path` (relative to the project folder) changes the server's code."""
    file = Path(path)
    requirements = file.name.startswith("requirements") and file.suffix in (".txt", ".in")
    named = {project.requirements, project.entrypoint and project.entrypoint.file, *(project.command or ())}
    return file.suffix in SUFFIXES or file.name in NAMES or requirements or path in named or f"./{path}" in named


def folders_of(root: Path, paths: Collection[str]) -> frozenset[Path]:
    """Returns the folders in which a save can matter, without virtual environments and the like."""
    return frozenset({root, *(root / parent for path in paths for parent in Path(path).parents)})


async def saves(project: Project, folders: Collection[Path]) -> AsyncGenerator[bool]:
    """Yields after each save, and once soon after watching has begun.

    It yields False if `folders` themselves have changed, and have to be watched anew.
    """
    # Imported late, since it imports anyio, which no other part of the command needs.
    from watchfiles import Change, awatch

    root = project.folder
    there = [folder for folder in folders if folder.is_dir()]
    if root not in there:
        raise SourceError(f"the project folder {root} is gone", hint="start `homeport dev` in the new one")

    def matters(_change: Change, path: str) -> bool:
        changed = Path(path)
        if changed in folders or (changed.is_dir() and not never_taken(changed.name)):
            return True
        return changed.is_relative_to(root) and reloads(changed.relative_to(root).as_posix(), project)

    first = True
    async for changes in awatch(
        *there,
        recursive=False,
        watch_filter=matters,
        debounce=GATHER_MS,
        step=QUIET_MS,
        rust_timeout=FIRST_LOOK_MS,
        yield_on_timeout=True,
    ):
        if changes or first:
            yield not any(Path(path) in folders or Path(path).is_dir() for _, path in changes)
        first = False
