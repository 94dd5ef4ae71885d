"""Locks Requirements: exact versions with hashes for one Python and platform, resolved once and then cached."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote

from ..errors import LockError
from ..home import write_atomic
from .model import Interpreter, Lock, Requirements, Resolved
from .requirements_txt import content_hash
from .uv import FREE_DISK, UvError

_FILE = re.compile(r"(?m)^(?:\S+ @ )?file://(/[^\s;]+)")


class OtherPythonError(LockError):
    """Says that the requirements have no solution for this Python, since a package wants one of `python` (`>=3.12`)."""

    def __init__(self, message: str, python: str) -> None:
        super().__init__(message, hint=f"Name a Python that fits, {python}, as python_version in fastmcp.toml.")
        self.python = python


def make_lock(requirements: Requirements, interpreter: Interpreter, cache: Path) -> tuple[Lock, bool]:
    """Returns the lock of `requirements` and the runtime's own, and whether it was found below `cache`.

    Raises LockError with uv's own reason when there is no solution or no index can be reached, and OtherPythonError
    when there may be a solution for another Python.
    """
    remembered = cache / "locks" / f"{lock_identity(requirements, interpreter)}.json"
    known = _recall(remembered)
    if known is not None and requirements.upgrade is None:
        return _lock(known, interpreter), True
    # Imported late, since a redeploy finds its lock in the cache and would wait for it.
    from .resolve import resolve

    try:
        resolved = resolve(requirements, interpreter, cache, known.text if known else "")
    except UvError as error:
        raise _explain(error, requirements) from error
    write_atomic(remembered, json.dumps(asdict(resolved)).encode())
    return _lock(resolved, interpreter), False


def part_of(lock: Lock, packages: Iterable[str]) -> Lock:
    """Returns a lock of these packages of `lock` alone, without what they need."""
    return _named(lines_about(packages, lock.text), lock.python, lock.platform)


def lines_about(packages: Iterable[str], text: str) -> str:
    """Returns the lines of a lock's text about these packages, and its options."""
    # Imported late, since few deploys take a lock apart.
    from packaging.utils import canonicalize_name

    names, kept, is_kept = {canonicalize_name(package) for package in packages}, [], False
    for line in text.splitlines():
        if not line.startswith((" ", "\t")):
            name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
            is_kept = line.startswith("--") or canonicalize_name(name) in names
        if is_kept:
            kept.append(line)
    return "\n".join([*kept, ""])


def lock_identity(requirements: Requirements, interpreter: Interpreter) -> str:
    """Returns a hash of everything that decides the resolution, without the place and name of the project's folder."""
    file = requirements.file
    decides = [
        requirements.text,
        [file.path, file.content, file.lock, file.extras, file.groups] if file else None,
        requirements.pins.constraints if requirements.pins else None,
        requirements.bounds,
        interpreter.minor,
        interpreter.platform,
        requirements.runtime,
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def _recall(remembered: Path) -> Resolved | None:
    """Returns what was resolved, unless a local package that it contains has changed since."""
    try:
        data = json.loads(remembered.read_bytes())
    except FileNotFoundError:
        return None
    known = Resolved(data["text"], data["local"], tuple(data["notes"]))
    wheels = [Path(unquote(path)) for path in _FILE.findall(known.text)]
    same = all(wheel.exists() for wheel in wheels) and all(
        Path(path).exists() and content_hash(Path(path)) == content for path, content in known.local.items()
    )
    return known if same else None


def _lock(resolved: Resolved, interpreter: Interpreter) -> Lock:
    return _named(resolved.text, interpreter.minor, interpreter.platform, resolved.notes)


def _named(text: str, python: str, platform: str, notes: tuple[str, ...] = ()) -> Lock:
    normal = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    identity = "\n".join([normal, python, platform])
    return Lock(text, hashlib.sha256(identity.encode()).hexdigest(), python, platform, notes=notes)


def _explain(error: UvError, requirements: Requirements) -> LockError:
    reason, unsolved = error.message, f"the requirements of {requirements.origin} cannot be resolved"
    if error.disk_full:
        return LockError("the disk is full; the requirements could not be resolved", hint=FREE_DISK)
    if "network was disabled" in error.stderr or "Request failed" in reason or "error sending request" in error.stderr:
        return LockError(
            f"the package index cannot be reached: {reason}",
            hint="Check the network, UV_DEFAULT_INDEX and HTTPS_PROXY, then run the command again.",
        )
    if error.wants_python:
        return OtherPythonError(f"{unsolved}: {reason}", error.wants_python)
    if requirements.inferred:
        hint = (
            "These were guessed from the imports, and are taken as ready-made wheels only; write a requirements.txt "
            "beside the server to say what it needs."
        )
    elif "Failed to parse `uv.lock`" in reason:
        hint = "Take it away, or write it anew: `uv lock`."
    elif "not found in the package registry" in reason:
        hint = "Check how the package is spelled, and that your index has it."
    else:
        hint = f"Change the versions named in {requirements.origin} so that they fit together and this Python."
    return LockError(f"{unsolved}: {reason}", hint=hint)
