"""Loads a layer's bytecode from one file, so that modules are found without searching the path and opening files.

The pack contains what a server was seen to import. Everything else, and all of it for another Python, is found as
usual.
"""

from __future__ import annotations

import json
import marshal
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER, spec_from_file_location
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import CodeType, ModuleType

from ..libraries.pydantic import DeferredModels

FILE_NAME = "homeport.pack"
# The bytes of a .pyc's header: magic number, flags, and the source's date and size or its hash (PEP 552).
PYC_HEADER = 16


def pack_bytecode(bytecode: Mapping[str, bytes]) -> bytes:
    """Returns a pack for `install`; `bytecode` has the .pyc of each source file by its path in the layer."""
    index: dict[str, tuple[str, int, int]] = {}
    code = b"".join(pyc[PYC_HEADER:] for pyc in bytecode.values())
    start = 0
    for file, pyc in bytecode.items():
        end = start + len(pyc) - PYC_HEADER
        module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        index[module] = file, start, end
        start = end
    magic = next(iter(bytecode.values()), MAGIC_NUMBER)[: len(MAGIC_NUMBER)].hex()
    return json.dumps({"magic": magic, "modules": index}).encode() + b"\n" + code


def install(layer: Path) -> None:
    """Loads the modules in `layer`, which is on the path, from its pack, if there is one for this Python."""
    file = layer / FILE_NAME
    if not file.exists():
        return
    with file.open("rb") as packed:
        said = json.loads(packed.readline())
        if said["magic"] == MAGIC_NUMBER.hex():
            code = memoryview(mmap(packed.fileno(), 0, access=ACCESS_READ))[packed.tell() :]
            finder = PackFinder(str(layer), said["modules"], code)
            sys.meta_path.insert(sys.meta_path.index(PathFinder), finder)


class PackLoader(SourceFileLoader):
    """Loads a module from `code`, which is marshalled."""

    MODELS = DeferredModels()

    def __init__(self, name: str, path: str, code: memoryview) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = marshal.loads(self._code)  # noqa: S302 - as Python does with every .pyc
        return code

    def exec_module(self, module: ModuleType) -> None:
        self.MODELS.execute(super().exec_module, module)


class PackFinder(MetaPathFinder):
    """Finds a module where the path would find it: entries before the layer on a path come before the pack."""

    def __init__(self, layer: str, modules: Mapping[str, tuple[str, int, int]], code: memoryview) -> None:
        self._layer = layer
        self._modules = modules
        self._code = code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        known = self._modules.get(fullname)
        if known is None or not self._first(fullname, path):
            return None
        file, start, end = known
        location = f"{self._layer}/{file}"
        folder = location.removesuffix("/__init__.py")
        loader = PackLoader(fullname, location, self._code[start:end])
        return spec_from_file_location(
            fullname, location, loader=loader, submodule_search_locations=None if folder == location else [folder]
        )

    def _first(self, name: str, path: Sequence[str] | None) -> bool:
        if path is not None:
            return next(iter(path), None) == f"{self._layer}/{name.rpartition('.')[0].replace('.', '/')}"
        if self._layer not in sys.path:
            return False
        return PathFinder.find_spec(name, sys.path[: sys.path.index(self._layer)]) is None
