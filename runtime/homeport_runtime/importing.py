"""How the app's modules are imported: code from the bundle, which never changes; `__file__` in the project's folder.

A server that writes beside itself (`Path(__file__).parent / "expenses.db"`) or by relative path means one place that
outlives its releases. So modules are read from the bundle, where two releases can run side by side, but their
`__file__` names the same file in the project's working folder.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def import_app(app: Path, workdir: Path, file: str) -> ModuleType:
    """Imports `file` of the app under its own name, as part of its package if it is in one."""
    source = app / file
    root, name = _module_name(source)
    finder = _AppFinder(app, workdir)
    sys.path_hooks.insert(0, finder)
    sys.path_importer_cache.clear()
    # First come the entry point's own folder, the project folder and its src, as for `python server.py`.
    paths = [root, app, app / "src"]
    sys.path[:0] = [str(path) for path in dict.fromkeys(paths) if path.is_dir()]
    if name in sys.modules or name in sys.stdlib_module_names:
        name = f"{name}_server"
    if "." in name:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, source, loader=finder.loader(name, str(source)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _module_name(source: Path) -> tuple[Path, str]:
    """The folder to import from and the dotted name: `pkg/server.py` in a package is `pkg.server`."""
    parts = [source.stem if source.stem.isidentifier() else "server_module"]
    folder = source.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


class _AppFinder:
    """A path hook for folders of the app."""

    def __init__(self, app: Path, workdir: Path) -> None:
        self._app = str(app)

        class Loader(importlib.machinery.SourceFileLoader):
            def exec_module(self, module: ModuleType) -> None:
                module.__file__ = str(workdir / Path(self.path).relative_to(app))
                super().exec_module(module)

        self.loader = Loader
        self._hook: Callable[[str], object] = importlib.machinery.FileFinder.path_hook(
            (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
            (Loader, importlib.machinery.SOURCE_SUFFIXES),
        )

    def __call__(self, entry: str) -> object:
        if entry != self._app and not entry.startswith(self._app + "/"):
            raise ImportError
        return self._hook(entry)
