"""Lock -> Layer: packages installed into a folder named by the lock's hash, complete as soon as it has that name."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import LayerError
from ..temporary import is_abandoned, locked_folder
from .model import Interpreter, Layer, Lock
from .node import install_packages
from .uv import FREE_DISK, UvError, resolve_with_uv, run_uv, with_wheels

# <linux/fs.h>: _IOW(0x94, 9, int)
FICLONE = 0x40049409


def build_layer(lock: Lock, interpreter: Interpreter, layers: Path) -> tuple[Layer, bool]:
    """The layer of `lock` below `layers`, and whether it was there already.

    It has no bytecode yet (supervisor.bytecode). Two builders of one layer do not meet: the first to finish names it.
    A package that is not what it says of itself is taken anew, past uv's cache. Raises LayerError when a package cannot
    be installed, or not anew, or the disk is full; nothing stays behind then, nor after an interrupt.
    """
    final = layers / lock.hash
    layer = Layer(final, lock.hash)
    if final.is_dir():
        # It is needed again: the platform removes what no release has had for long (controlplane.garbage).
        os.utime(final)
        return layer, True
    # Late, here and below: a redeploy has its layer.
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
            _name(folder, final)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LayerError("the disk is full; the packages could not be installed", hint=FREE_DISK) from error
        raise
    return layer, False


def _arguments(lock: Lock, interpreter: Interpreter, folder: Path) -> list[str]:
    args = ["pip", "install", "--target", str(folder), *interpreter.uv_options, "--no-deps"]
    if "--extra-index-url" in lock.text:
        # The lock says which version with which hash: it does not matter which index has others of that name.
        args += ["--index-strategy", "unsafe-best-match"]
    return args


def _install_again(lock: Lock, interpreter: Interpreter, folder: Path, packages: Iterable[str]) -> None:
    """Something has changed these packages in uv's cache. What comes anew has the lock's hash, so that what is still
    not as its RECORD says was published so.
    """
    from .record import check_records

    args = [*_arguments(lock, interpreter, folder), "--reinstall", "--no-cache", "--requirements", "-"]
    try:
        resolve_with_uv(args, input=_part(lock.text, packages), cwd=folder)
    except UvError:
        check_records(folder)
        raise
    (folder / ".lock").unlink(missing_ok=True)


def _part(lock: str, packages: Iterable[str]) -> str:
    """The lines of a lock that are about these packages, and its options."""
    # Late: only what is not as its RECORD says is fetched again.
    from packaging.utils import canonicalize_name

    names, kept, is_kept = {canonicalize_name(package) for package in packages}, [], False
    for line in lock.splitlines():
        if not line.startswith((" ", "\t")):
            name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
            is_kept = line.startswith("--") or canonicalize_name(name) in names
        if is_kept:
            kept.append(line)
    return "\n".join([*kept, ""])


def _install(lock: Lock, interpreter: Interpreter, folder: Path) -> None:
    args = [*_arguments(lock, interpreter, folder), "--link-mode", _link_mode(folder)]
    try:
        _run(args, lock.text, folder)
    except UvError as error:
        if error.disk_full:
            raise LayerError("the disk is full; the packages could not be installed", hint=FREE_DISK) from error
        raise LayerError(
            f"the packages cannot be installed for Python {lock.python} on {lock.platform}: {error.message}",
            hint="Choose a version that has a wheel for this platform"
            + ("." if interpreter.foreign else ", or install what building it needs."),
        ) from error
    (folder / ".lock").unlink(missing_ok=True)  # uv's own, for its targets


def _run(args: list[str], lock: str, folder: Path) -> None:
    """A lock leaves nothing to ask an index when uv has all of it: it is asked only if it has not."""
    # Started in the new folder: uv would read the configuration of whatever project it is started in.
    args = [*args, "--requirements", "-"]
    try:
        run_uv(with_wheels([*args, "--offline"]), input=lock, cwd=folder)
    except UvError as error:
        if error.disk_full:
            raise
        resolve_with_uv(args, input=lock, cwd=folder)


def _link_mode(folder: Path) -> str:
    """uv's word for files that share no content with its cache that anybody could change: a server may write to the
    cache, or to another environment that uv made of it. Copy-on-write costs nothing, where the file system has it.
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
    """Removes what builders of this layer left behind when they were killed."""
    for folder in layers.glob(f".{name}.*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _name(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
