"""Mounts small file systems for what happens on a full disk, and fills them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .support import require


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """Makes `folder` a file system of that size of the test's own, or skips the test where that cannot be."""
    require(os.geteuid() == 0 and sys.platform == "linux", "only root mounts file systems")
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)], check=False)
    require(done.returncode == 0, "this machine lets root mount nothing")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Returns a file in `folder` that leaves no room for others."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return path
