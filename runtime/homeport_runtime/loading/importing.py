"""Imports the app's modules from the bundle, which never changes, with a `__file__` in the project's folder.

A server that writes beside itself (`Path(__file__).parent / "expenses.db"`) or to relative paths expects one place that
outlives its releases. So modules are read from the bundle, where two releases can run side by side, but their
`__file__` names the same file in the project's working folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from importlib.abc import PathEntryFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType

_SDKS = ("mcp", "fastmcp")
_RELATIVE_IMPORT = re.compile(rb"^[ \t]*from[ \t]+\.", re.MULTILINE)


class AppImports:
    """Puts the app on the import path; `roots` are folders of the app from which its own packages are imported."""

    def __init__(self, app: Path, workdir: Path, roots: Sequence[str] = ()) -> None:
        self._app = app
        self._workdir = workdir
        self._roots = [app / root for root in roots]
        self._loader = _make_loader(app, workdir)

    def install(self, first: Sequence[Path] = (), last: Sequence[Path] = ()) -> None:
        """Puts the roots, the project folder and its src on the path, after `first` and before `last`."""
        sys.path_hooks.insert(0, _make_path_hook(self._app, self._loader))
        sys.path_importer_cache.clear()
        paths = dict.fromkeys((*first, *self._roots, self._app, self._app / "src", *last))
        sys.path[:0] = [str(path) for path in paths if path.is_dir()]

    def import_file(self, file: str) -> ModuleType:
        """Imports `file` under its own name, as part of its package if it is in one."""
        source = self._app / file
        root, name = _module_name(source)
        _keep_standard(name)
        self.install(first=[root], last=[] if _hides_sdk(source) else [source.parent])
        if name in sys.modules:
            name = f"{name}_server"
        if "." in name:
            return importlib.import_module(name)
        module = self._module(name, source)
        module.__spec__.loader.exec_module(module)  # type: ignore[union-attr]
        return module

    def run_file(self, file: str) -> ModuleType:
        """Runs `file` as `python FILE` does: as __main__, with its own folder first on the path.

        A file that runs only as part of its package is, as with `python -m`: one with relative imports, or beside which
        a module has the name of an SDK.
        """
        source = self._app / file
        root, name = _module_name(source)
        _keep_standard(name)
        in_package = "." in name and (_imports_relatively(source) or _hides_sdk(source))
        self.install(first=[root] if in_package else [source.parent, root])
        module = self._module("__main__", source)
        if in_package:
            importlib.import_module(name.rpartition(".")[0])
        module.__package__ = name.rpartition(".")[0] if in_package else None
        loader, module.__spec__ = module.__spec__.loader, None  # type: ignore[union-attr]
        loader.exec_module(module)  # type: ignore[union-attr]
        return module

    def _module(self, name: str, source: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, source, loader=self._loader(name, str(source)))
        if spec is None or spec.loader is None:
            raise ImportError(f"{source.name} is not a Python file")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        return module


def _keep_standard(name: str) -> None:
    """Imports the standard module of that name, if there is one, so that libraries get it and not the server's file."""
    if name in sys.stdlib_module_names:
        importlib.import_module(name)


def _imports_relatively(source: Path) -> bool:
    return _RELATIVE_IMPORT.search(source.read_bytes()) is not None


def _hides_sdk(source: Path) -> bool:
    """Tells whether `source` is in a package that has a module of an SDK's name, which its folder on the path would put
    in the SDK's place.
    """
    folder = source.parent
    return (folder / "__init__.py").exists() and any((folder / f"{name}.py").exists() for name in _SDKS)


def _module_name(source: Path) -> tuple[Path, str]:
    """Returns the folder to import from and the dotted name: `pkg/server.py` in a package is `pkg.server`."""
    # A module may be called `my-server`, only no import statement can name it.
    parts = [source.stem.replace(".", "_")]
    folder = source.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _make_loader(app: Path, workdir: Path) -> type[SourceFileLoader]:
    class AppLoader(SourceFileLoader):
        """Loads a module from the bundle and sets its `__file__` to the working folder."""

        def exec_module(self, module: ModuleType) -> None:
            module.__file__ = str(workdir / Path(self.path).relative_to(app))
            super().exec_module(module)

    return AppLoader


def _make_path_hook(app: Path, loader: type[SourceFileLoader]) -> Callable[[str], PathEntryFinder]:
    """Returns the hook as a function, since beartype's own import hooks require one."""
    hook = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (loader, SOURCE_SUFFIXES))

    def app_path_hook(entry: str) -> PathEntryFinder:
        if entry != str(app) and not entry.startswith(f"{app}/"):
            raise ImportError
        return hook(entry)

    return app_path_hook
