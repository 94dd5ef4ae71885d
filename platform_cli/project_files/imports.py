"""Reads from a server's source which local modules and which requirements it imports, and imports nothing.

A module is local if it lies beside the server file, in a folder on the way up to the project's, in the project's src/,
or, when no known distribution contains it, anywhere else in the project, since programs extend sys.path.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ..errors import SourceError
from .distributions import distribution
from .ignore import never_taken
from .modules import Module, is_third_party, parse_module, top_name
from .sdk import SDK_MODULES, sdk_requirements


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
            if found.level or not is_third_party(found.name) or _local(roots, found.name, root):
                continue
            if canonicalize_name(top_name(found.name)) in own:
                continue
            if found.optional:
                guarded.add(found.name)
            else:
                needed.setdefault(found.name, f"{module.file.relative_to(root).as_posix()}, line {found.line}")
    wanted = set(needed)
    if not any(top_name(name) in SDK_MODULES for name in wanted):
        # A server needs an SDK, so `try: from fastmcp import ...` means that it wants this one.
        wanted |= {name for name in guarded if top_name(name) in SDK_MODULES}
    others = {name: distribution(name) for name in wanted if top_name(name) not in SDK_MODULES}
    _refuse_unknown({name: needed[name] for name, known in others.items() if known is None}, root)
    sdk = sdk_requirements([module.tree for module in modules], wanted)
    return tuple(sorted({*filter(None, others.values()), *sdk}))


def _refuse_unknown(unknown: dict[str, str], root: Path) -> None:
    places: dict[str, str] = {}
    for name, where in unknown.items():
        places.setdefault(top_name(name), where)
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
                if not found.level and is_third_party(found.name) and not _local(roots, found.name, root)
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
