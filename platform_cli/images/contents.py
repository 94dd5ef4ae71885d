"""Makes the layers of homeport's own in an image: what the base's Python lacks, and packages, runtime and app of a
server, or packages and a platform.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from homeport_runtime.guard.issuer_file import FILE_NAME as ISSUER
from homeport_runtime.loading.manifest import APP_FOLDER, FILE_NAME

from ..errors import BuildError
from ..home import Home, write_atomic
from ..infra_files import infra_file
from ..pipeline.model import Bundle, Interpreter, Layer, Lock
from ..pipeline.record import check_records
from ..temporary import temporary_folder
from .blobs import Blobs
from .bytecode import compile_files, pyc_name
from .layer_tar import Entry, write_layer
from .model import Blob, ImageLayer
from .places import BILL, BUNDLE, PACKAGES, RUNTIME, START, UID, WORK_FOLDERS, WORK_MODE
from .sbom import bill_of_materials
from .standard_library import compile_standard_library

# The version of what layers have beside their content, so that no version of homeport takes another one's.
LAYOUT = "3"
BYTECODE = "__pycache__"
# The keys of the manifest that matter only on this machine.
LOCAL_KEYS = ("interpreter", "lock", "layer", "preload", "imports")
# What may have credentials in it: npm's settings, and the URL that a package was installed from (PEP 610).
PRIVATE = (".npmrc", "direct_url.json")
# A console script's first lines name the Python that installed it, and so does the hash of it in RECORD.
_SHEBANG = re.compile(rb"\A#!(?:/bin/sh\n'''exec' )?[^\n]*python[^\n]*(?:\n' ''')?\n")
_OF_SCRIPTS = re.compile(rb"(?m)^((?:\.\./)*bin/[^,\n]+),sha256=[^,\n]*,\d*")


class Layers:
    """Makes layers, each once for the same content."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known = home.cache / "images" / "layers"
        self.blobs = Blobs(home.cache / "images" / "blobs")

    def python(self, own: Interpreter) -> ImageLayer:
        """Returns the bytecode of Python's own modules, for a base that is one of Docker's official images of it."""

        def entries(folder: Path) -> dict[str, Entry]:
            return {name: Entry(content) for name, content in compile_standard_library(own, folder).items()}

        return self._made(f"python-{own.version}", entries, f"bytecode of Python {own.minor}")

    def packages(
        self,
        lock: Lock,
        layer: Layer,
        own: Interpreter,
        folder: str = PACKAGES,
        bill: str = BILL,
        loaded_here: Iterable[str] = (),
    ) -> ImageLayer:
        """Returns the packages of `lock`, which are in `layer`, as they are in `folder` of an image.

        `bill` is where their bill of materials is. Modules that are `loaded_here` get their bytecode in `layer`, too.

        Raises LayerError if they are not what was locked: somebody may have changed them since.
        """

        def entries(scratch: Path) -> dict[str, Entry]:
            check_records(layer.path)
            files = {name: file for name, file in _files_of(layer.path) if file.name not in PRIVATE}
            compiled = _compiled({f"{folder}/{name}": file for name, file in files.items()}, own, scratch)
            _leave(layer, _bytecode_of(loaded_here, compiled, own, folder), scratch)
            return {
                **{f"{folder}/{name}": _packaged(name, file) for name, file in files.items()},
                **{name: Entry(content) for name, content in compiled.items()},
                bill: Entry(bill_of_materials(lock)),
            }

        key = f"packages-{lock.hash}-{own.version}"
        # Bytecode has the paths of its sources, so the same packages elsewhere are another layer.
        key += "" if folder == PACKAGES else f"-{hashlib.sha256(folder.encode()).hexdigest()[:16]}"
        return self._made(key, entries, f"packages of lock {lock.hash[:16]}")

    def runtime(self, name: str, own: Interpreter) -> ImageLayer:
        """Returns the runtime of that name, how it starts, and the folders that the server works in."""

        def entries(folder: Path) -> dict[str, Entry]:
            files = {f"{RUNTIME}/{path}": file for path, file in _files_of(self._home.runtimes / name)}
            return {
                **{path: Entry(file) for path, file in files.items()},
                **{path: Entry(content) for path, content in _compiled(files, own, folder).items()},
                START: Entry(infra_file("container/start.py").read_bytes()),
                **{path: Entry(mode=WORK_MODE, uid=UID) for path in WORK_FOLDERS},
            }

        return self._made(f"runtime-{name}-{own.version}", entries, f"runtime {name[:16]}")

    def app(self, bundle: Bundle, issuer: bytes | None = None) -> ImageLayer:
        """Returns the app's files and its manifest, without what is about this machine; `issuer` is what the image
        knows of its callers' authorization server.
        """

        def entries(_folder: Path) -> dict[str, Entry]:
            app = f"{BUNDLE}/{APP_FOLDER}"
            return {
                app: Entry(mode=0o755),
                **{f"{app}/{name}": _file(file) for name, file in _files_of(bundle.path / APP_FOLDER)},
                f"{BUNDLE}/{FILE_NAME}": Entry(json.dumps(_manifest(bundle), sort_keys=True).encode()),
                **({f"{BUNDLE}/{ISSUER}": Entry(issuer)} if issuer is not None else {}),
            }

        known = f"-{hashlib.sha256(issuer).hexdigest()[:16]}" if issuer is not None else ""
        return self._made(f"app-{bundle.hash}{known}", entries, "app")

    def homeport(self, files: Mapping[str, Path], others: Mapping[str, Entry], own: Interpreter) -> ImageLayer:
        """Returns a platform's code, `files` by their paths in the image, and what `others` is in it."""

        def entries(scratch: Path) -> dict[str, Entry]:
            contents: Mapping[str, bytes | Path] = {**files, **_compiled(files, own, scratch)}
            return {**{path: Entry(content) for path, content in contents.items()}, **others}

        content = hashlib.sha256(repr(sorted(others.items())).encode())
        for path, file in sorted(files.items()):
            content.update(f"{path}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
        return self._made(f"homeport-{content.hexdigest()}-{own.version}", entries, "homeport")

    def _made(self, key: str, entries: Callable[[Path], Mapping[str, Entry]], history: str) -> ImageLayer:
        """Returns the layer that was made under `key` before, else makes it of what `entries` returns.

        `entries` gets a folder for its own files.
        """
        record = self._known / f"{key}-{LAYOUT}.json"
        if (known := _read(record)) and self.blobs.has(known.blob.digest):
            return known
        with temporary_folder("image") as folder:
            layer = write_layer(self.blobs, entries(folder), history)
        self.blobs.drop_unused()
        write_atomic(record, json.dumps(asdict(layer)).encode())
        return layer


def _manifest(bundle: Bundle) -> dict[str, object]:
    """Returns the manifest as it is in an image.

    Of the contract it has only whether the server authenticates its callers: a server may tell secrets in the rest.
    """
    manifest = {key: value for key, value in bundle.manifest.items() if key not in LOCAL_KEYS}
    return {**manifest, "contract": {"guarded": bool((bundle.manifest["contract"] or {}).get("guarded"))}}


def _read(record: Path) -> ImageLayer | None:
    try:
        data = json.loads(record.read_bytes())
        return ImageLayer(Blob(**data["blob"]), data["diff_id"], data["history"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields the files in `folder` and below, with their paths in it, without bytecode, which is this machine's."""
    for path, folders, names in os.walk(folder):
        linked = [name for name in folders if Path(path, name).is_symlink()]
        folders[:] = [name for name in folders if name != BYTECODE and name not in linked]
        for name in (*names, *linked):
            file = Path(path, name)
            yield file.relative_to(folder).as_posix(), file


def _file(file: Path) -> Entry:
    return Entry(file, 0o755 if file.stat().st_mode & 0o100 else 0o644)


def _packaged(name: str, file: Path) -> Entry:
    """Returns a file of the packages as it is in an image, where Python is elsewhere."""
    if file.is_symlink():
        return Entry(link=_link_within(file))
    entry = _file(file)
    if name.startswith("bin/"):
        return Entry(_SHEBANG.sub(b"#!/usr/bin/env python3\n", file.read_bytes()), entry.mode)
    if name.endswith(".dist-info/RECORD"):
        return Entry(_OF_SCRIPTS.sub(rb"\1,,", file.read_bytes()), entry.mode)
    return entry


def _link_within(file: Path) -> str:
    """Returns where a symlink of a package leads, relative to itself.

    Raises BuildError if that is not relative: it would lead elsewhere in an image.
    """
    link = file.readlink()
    if link.is_absolute():
        raise BuildError(f"{file} is a symlink to {link}, which is not in the image", hint="ask the package's author")
    return link.as_posix()


def _compiled(files: Mapping[str, Path], own: Interpreter, folder: Path) -> dict[str, bytes]:
    return compile_files({name: file for name, file in files.items() if name.endswith(".py")}, own, folder)


def _bytecode_of(
    modules: Iterable[str], compiled: Mapping[str, bytes], own: Interpreter, folder: str
) -> Iterator[tuple[str, bytes]]:
    """Yields the bytecode of `modules`, as far as they are in `folder`, with its path in there."""
    for module in modules:
        base = f"{folder}/{module.replace('.', '/')}"
        for source in (f"{base}.py", f"{base}/__init__.py"):
            name = pyc_name(source, own)
            if name in compiled:
                yield name.removeprefix(f"{folder}/"), compiled[name]


def _leave(layer: Layer, bytecode: Iterable[tuple[str, bytes]], scratch: Path) -> None:
    """Gives the layer the bytecode that it lacks, for the processes that load the server here and may not write it."""
    new = scratch / "new.pyc"
    for name, content in bytecode:
        target = layer.path / name
        if not target.exists():
            new.write_bytes(content)
            # Servers may have users of their own.
            new.chmod(0o644)
            with contextlib.suppress(OSError):
                if not target.parent.exists():
                    target.parent.mkdir()
                    target.parent.chmod(0o755)
                new.replace(target)
