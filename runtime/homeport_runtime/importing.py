"""How the app's modules are imported: code from the bundle, which never changes; `__file__` in the project's folder.

A server that writes beside itself (`Path(__file__).parent / "expenses.db"`) or by relative path means one place that
outlives its releases. So modules are read from the bundle, where two releases can run side by side, but their
`__file__` names the same file in the project's working folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
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


def import_app(app: Path, workdir: Path, file: str) -> ModuleType:
    """Imports `file` of the app under its own name, as part of its package if it is in one."""
    source = app / file
    root, name = _module_name(source)
    loader = _make_loader(app, workdir)
    if name in sys.stdlib_module_names:
        # Libraries that import the standard module of that name get it, whatever the server's file is called.
        importlib.import_module(name)
    sys.path_hooks.insert(0, _make_path_hook(app, loader))
    sys.path_importer_cache.clear()
    # First come the entry point's own folder, the project folder and its src, as for `python server.py`.
    paths = [root, app, app / "src"]
    sys.path[:0] = [str(path) for path in dict.fromkeys(paths) if path.is_dir()]
    if name in sys.modules:
        name = f"{name}_server"
    if "." in name:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, source, loader=loader(name, str(source)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _module_name(source: Path) -> tuple[Path, str]:
    """The folder to import from and the dotted name: `pkg/server.py` in a package is `pkg.server`."""
    # `my-server` is a module name like any other, only no statement can import it.
    parts = [source.stem.replace(".", "_")]
    folder = source.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _make_loader(app: Path, workdir: Path) -> type[SourceFileLoader]:
    class AppLoader(SourceFileLoader):
        """Reads a module from the bundle and says that it is in the working folder."""

        def exec_module(self, module: ModuleType) -> None:
            module.__file__ = str(workdir / Path(self.path).relative_to(app))
            super().exec_module(module)

    return AppLoader


def _make_path_hook(app: Path, loader: type[SourceFileLoader]) -> Callable[[str], PathEntryFinder]:
    """A function, as beartype's own import hooks insist on one."""
    hook = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (loader, SOURCE_SUFFIXES))

    def app_path_hook(entry: str) -> PathEntryFinder:
        if entry != str(app) and not entry.startswith(f"{app}/"):
            raise ImportError
        return hook(entry)

    return app_path_hook
