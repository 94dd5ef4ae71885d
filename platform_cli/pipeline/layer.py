"""Installs the packages of a lock into a layer, a folder named by the lock's hash, atomically."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import LayerError
from ..own_code import open_to_all
from ..temporary import is_abandoned, locked_folder
from .lock import lines_about
from .model import Interpreter, Layer, Lock
from .node import install_packages
from .uv import FREE_DISK, UvError, resolve_with_uv, run_uv, with_wheels

# <linux/fs.h>: _IOW(0x94, 9, int)
FICLONE = 0x40049409
WHEEL_HINT = "Choose a version that has a wheel for this platform"


def build_layer(lock: Lock, interpreter: Interpreter, layers: Path) -> tuple[Layer, bool]:
    """Returns the layer of `lock` below `layers`, and whether it existed before.

    It has no bytecode yet (supervisor.bytecode). Of two builders of the same layer, the first to finish names it. A
    package whose files differ from its RECORD is installed again without uv's cache. Raises LayerError when a package
    cannot be installed, or the disk is full; then nothing is left, nor after an interrupt.
    """
    final = layers / lock.hash
    layer = Layer(final, lock.hash)
    if final.is_dir():
        # The time of the last use: the platform removes what no release has used for long (controlplane.garbage).
        os.utime(final)
        return layer, True
    # Imported late, here and below, since a redeploy has its layer.
    from .record import changed_files

    layers.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(layers, lock.hash)
    try:
        with locked_folder(layers, f".{lock.hash}.") as folder:
            _install(lock, interpreter, folder)
            if changed := changed_files(folder):
                _install_again(lock, interpreter, folder, changed)
            if lock.packages:
                install_packages(lock.packages, folder)
            open_to_all(folder)
            _name(folder, final)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LayerError("the disk is full; the packages could not be installed", hint=FREE_DISK) from error
        raise
    return layer, False


def _arguments(lock: Lock, interpreter: Interpreter, folder: Path) -> list[str]:
    args = ["pip", "install", "--target", str(folder), *interpreter.uv_options, "--no-deps"]
    if "--extra-index-url" in lock.text:
        # The lock has the version and the hash, so it does not matter which index has other versions of that name.
        args += ["--index-strategy", "unsafe-best-match"]
    return args


def _install_again(lock: Lock, interpreter: Interpreter, folder: Path, packages: Iterable[str]) -> None:
    """Installs `packages`, whose files were changed in uv's cache, without the cache.

    What is fetched anew has the lock's hash, so a file that still differs from its RECORD was published so.
    """
    from .record import check_records

    args = [*_arguments(lock, interpreter, folder), "--reinstall", "--no-cache", "--requirements", "-"]
    try:
        resolve_with_uv(args, input=lines_about(packages, lock.text), cwd=folder)
    except UvError:
        check_records(folder)
        raise
    (folder / ".lock").unlink(missing_ok=True)


def _install(lock: Lock, interpreter: Interpreter, folder: Path) -> None:
    args = [*_arguments(lock, interpreter, folder), "--link-mode", _link_mode(folder)]
    try:
        _run(args, lock.text, folder)
    except UvError as error:
        if error.disk_full:
            raise LayerError("the disk is full; the packages could not be installed", hint=FREE_DISK) from error
        raise LayerError(
            f"the packages cannot be installed for Python {lock.python} on {lock.platform}: {error.message}",
            hint=WHEEL_HINT + ("." if interpreter.foreign else ", or install what building it needs."),
        ) from error
    if interpreter.foreign and (compiled := compiled_here(folder)):
        raise LayerError(
            f"no wheel of {', '.join(compiled)} is for {lock.platform}, and nothing can be compiled for that here",
            hint=f"{WHEEL_HINT}, or publish one to an index of yours.",
        )
    (folder / ".lock").unlink(missing_ok=True)  # uv's own lock of the folder


def compiled_here(layer: Path) -> list[str]:
    """Returns the packages that uv has built on this machine and for it alone; uv itself refuses other processors."""
    found = []
    for built in sorted(layer.glob("*.dist-info/uv_build.json")):
        wheel = (built.parent / "WHEEL").read_text(encoding="utf-8")
        # https://packaging.python.org/specifications/platform-compatibility-tags/: what is not bound to one machine
        # says `any`, and a wheel for others is called manylinux.
        if re.search(r"(?m)^Tag: .*-linux_\w+\s*$", wheel):
            found.append(built.parent.name.partition("-")[0])
    return found


def _run(args: list[str], lock: str, folder: Path) -> None:
    """Installs the lock, and asks an index only if uv's cache does not have all of it."""
    # uv is started in the new folder, since it would read the configuration of the project that it is started in.
    args = [*args, "--requirements", "-"]
    try:
        run_uv(with_wheels([*args, "--offline"]), input=lock, cwd=folder)
    except UvError as error:
        if error.disk_full:
            raise
        resolve_with_uv(args, input=lock, cwd=folder)


def _link_mode(folder: Path) -> str:
    """Returns uv's link mode under which installed files and the cache cannot change each other.

    A server might write to the cache, or to another environment that uv made from it. Where the file system has
    copy-on-write, it costs nothing.
    """
    source, clone = folder / ".source", folder / ".clone"
    source.touch()
    try:
        with source.open("rb") as reader, clone.open("wb") as writer:
            fcntl.ioctl(writer, FICLONE, reader.fileno())
    except OSError:
        return "copy"
    finally:
        source.unlink()
        clone.unlink(missing_ok=True)
    return "clone"


def _sweep(layers: Path, name: str) -> None:
    """Removes what builders of this layer left when they were killed."""
    for folder in layers.glob(f".{name}.*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _name(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
