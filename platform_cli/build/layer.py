"""Lock -> Layer: packages installed into a folder named by the lock's hash, complete as soon as it has that name."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platform_cli.build.model import Interpreter, Layer, Lock
from platform_cli.build.node import install_packages
from platform_cli.build.uv import FREE_DISK, UvError, run_uv
from platform_cli.errors import LayerError

NEW_S = 60.0


def build_layer(lock: Lock, interpreter: Interpreter, layers: Path) -> tuple[Layer, bool]:
    """The layer of `lock` below `layers`, and whether it was there already.

    It has no bytecode yet (supervisor.bytecode). Files may be hard links into uv's cache: nobody may change them. Two
    builders of one layer do not meet: the first to finish names it. Raises LayerError when a package cannot be
    installed or the disk is full; nothing stays behind then, nor after an interrupt.
    """
    final = layers / lock.hash
    layer = Layer(final, lock.hash)
    if final.is_dir():
        return layer, True
    layers.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(layers, lock.hash)
    try:
        with _workspace(layers, lock.hash) as folder:
            _install(lock, interpreter, folder)
            if lock.packages:
                install_packages(lock.packages, folder)
            _name(folder, final)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LayerError("the disk is full; the packages could not be installed", hint=FREE_DISK) from error
        raise
    return layer, False


def _install(lock: Lock, interpreter: Interpreter, folder: Path) -> None:
    args = ["pip", "install", "--target", str(folder), *interpreter.uv_options, "--no-deps"]
    if "--extra-index-url" in lock.text:
        # The lock says which version with which hash: it does not matter which index has others of that name.
        args += ["--index-strategy", "unsafe-best-match"]
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
    for more in (["--offline"], []):
        try:
            run_uv([*args, *more, "--requirements", "-"], input=lock, cwd=folder)
        except UvError as error:
            if not more or error.disk_full:
                raise
        else:
            return


@contextmanager
def _workspace(layers: Path, name: str) -> Iterator[Path]:
    """A new folder beside the finished layers, locked while its builder lives and removed if it was not renamed."""
    folder = Path(tempfile.mkdtemp(dir=layers, prefix=f".{name}."))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _sweep(layers: Path, name: str) -> None:
    """Removes what builders of this layer left behind when they were killed."""
    for folder in layers.glob(f".{name}.*"):
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # its builder has finished meanwhile
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A builder that has just made its folder has not locked it yet.
            if time.time() - os.fstat(descriptor).st_mtime < NEW_S:
                continue
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def _name(folder: Path, final: Path) -> None:
    try:
        folder.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
