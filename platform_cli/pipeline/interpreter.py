"""Finds the Python that a project runs on: the one that runs homeport, or another one of this machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import sysconfig
from dataclasses import asdict
from pathlib import Path

from ..home import write_atomic
from .model import Interpreter, platform_tag


def find_interpreter(request: str | None, cache: Path) -> Interpreter:
    """Returns the interpreter for `request`: a version (`3.11`, `3.11.7`), a PEP 440 specifier (`>=3.11`), or None for
    any.

    The Python that runs homeport is taken if it satisfies the request, else the one that uv finds, else one of pyenv's,
    else one that uv can install. What was found is cached below `cache` for as long as its file is unchanged. Raises
    InputError when the request is malformed or no such Python can be had.
    """
    own = _running()
    if request is None:
        return own
    # Imported late, since most projects run on any Python, and a redeploy would wait for it.
    from .pythons import search, specifiers

    wanted = specifiers(request)
    if wanted.contains(own.version, prereleases=True):
        return own
    remembered = cache / "interpreters" / f"{hashlib.sha256(request.encode()).hexdigest()[:24]}.json"
    found = _recall(remembered)
    if found is None:
        found = search(request, wanted)
        data = asdict(found) | {"path": str(found.path), "mtime_ns": found.path.stat().st_mtime_ns}
        write_atomic(remembered, json.dumps(data).encode())
    return found


def _running() -> Interpreter:
    # Inside a virtual environment sys.executable would bring the packages of that environment along.
    base = getattr(sys, "_base_executable", None)
    path = Path(base if base and os.access(base, os.X_OK) else sys.executable)
    tag = platform_tag(sysconfig.get_platform(), platform.machine())
    return Interpreter(path.resolve(), platform.python_version(), tag)


def _recall(remembered: Path) -> Interpreter | None:
    try:
        data = json.loads(remembered.read_text())
        path = Path(data["path"])
        if path.stat().st_mtime_ns == data["mtime_ns"]:
            return Interpreter(path, data["version"], data["platform"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing remembered, or it is gone: search again
    return None
