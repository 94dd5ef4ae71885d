"""Stores the runtime in a content-addressed folder, so that an upgrade of homeport does not change old releases."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import homeport_runtime

from ..own_code import open_to_all


def store_runtime(runtimes: Path) -> str:
    """Copies the installed runtime to `runtimes/<hash>/homeport_runtime` if it does not exist, and returns the hash."""
    source = Path(homeport_runtime.__file__).parent
    files = sorted(_modules(source))
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path}\0".encode())
        digest.update(hashlib.sha256((source / path).read_bytes()).digest())
    name = digest.hexdigest()[:32]
    if (runtimes / name).exists():
        # The time of the last use: the platform removes what no release has used for long (controlplane.garbage).
        os.utime(runtimes / name)
        return name
    # Imported late, since only the first deploy with a version of homeport has to compile it.
    import compileall

    runtimes.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=runtimes, prefix=f".{name}."))
    try:
        for path in files:
            target = temporary / "homeport_runtime" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, target)
        compileall.compile_dir(temporary, quiet=2)
        open_to_all(temporary)
        temporary.rename(runtimes / name)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        # Another deploy was faster.
        if not (runtimes / name).exists():
            raise
    return name


def _modules(source: Path) -> Iterator[str]:
    """Yields the paths of the modules, without pathlib, which would take twice as long, at each deploy."""
    top = len(f"{source}/")
    for folder, _, names in os.walk(source):
        yield from (f"{folder}/{name}"[top:] for name in names if name.endswith(".py"))
