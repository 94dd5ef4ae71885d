"""The Python that a project runs on: the one that runs homeport, or another one of this machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from platform_cli.build.model import Interpreter
from platform_cli.build.uv import UvError, run_uv
from platform_cli.errors import InputError
from platform_cli.home import write_atomic

OLDEST = "3.10"  # what homeport_runtime runs on
PROBE_TIMEOUT_S = 30.0

_PROBE = (
    "import json, os, platform, sys, sysconfig; print(json.dumps([os.path.realpath(sys._base_executable), "
    "platform.python_version(), sysconfig.get_platform(), platform.machine()]))"
)


def find_interpreter(request: str | None, cache: Path) -> Interpreter:
    """The interpreter for `request`: a version (`3.11`, `3.11.7`), a PEP 440 specifier (`>=3.11`), or None for any.

    The Python that runs homeport is taken when it satisfies the request, else the one that uv finds, else one of
    pyenv's, else the one that uv can install. What was found is remembered below `cache` for as long as that file
    stays the same. Raises InputError when the request makes no sense or no such Python can be had.
    """
    own = _running()
    if request is None:
        return own
    wanted = _specifiers(request)
    if wanted.contains(own.version, prereleases=True):
        return own
    remembered = cache / "interpreters" / f"{hashlib.sha256(request.encode()).hexdigest()[:24]}.json"
    found = _recall(remembered)
    if found is None:
        found = _search(request, wanted)
        data = asdict(found) | {"path": str(found.path), "mtime_ns": found.path.stat().st_mtime_ns}
        write_atomic(remembered, json.dumps(data).encode())
    return found


def _running() -> Interpreter:
    # Inside a virtual environment sys.executable would bring the packages of that environment along.
    base = getattr(sys, "_base_executable", None)
    path = Path(base if base and os.access(base, os.X_OK) else sys.executable)
    tag = _platform_tag(sysconfig.get_platform(), platform.machine())
    return Interpreter(path.resolve(), platform.python_version(), tag)


def _platform_tag(name: str, machine: str) -> str:
    """`linux-x86_64`, `macos-arm64`, ... from sysconfig.get_platform(), whose macOS form also names the SDK."""
    return f"macos-{machine}" if name.startswith("macosx") else name


def _specifiers(request: str) -> SpecifierSet:
    text = request.strip()
    try:
        if not text[:1].isdigit():
            return SpecifierSet(text) & SpecifierSet(f">={OLDEST}")
        version = Version(text)
    except (InvalidSpecifier, InvalidVersion) as error:
        raise InputError(
            f"python_version {request!r} is neither a version nor a specifier",
            hint="Write a version such as 3.12, or a specifier such as >=3.11.",
        ) from error
    if version < Version(OLDEST if "." in text else "3"):
        raise InputError(
            f"python_version {request} is older than Python {OLDEST}, the oldest that homeport can serve",
            hint=f"Ask for {OLDEST} or newer.",
        )
    exact = len(version.release) > 2
    return SpecifierSet(f"=={text}" if exact else f"=={text}.*") & SpecifierSet(f">={OLDEST}")


def _recall(remembered: Path) -> Interpreter | None:
    try:
        data = json.loads(remembered.read_text())
        path = Path(data["path"])
        if path.stat().st_mtime_ns == data["mtime_ns"]:
            return Interpreter(path, data["version"], data["platform"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing remembered, or it is gone: search again
    return None


def _search(request: str, wanted: SpecifierSet) -> Interpreter:
    for path in _candidates(wanted):
        found = _probe(path)
        if found and wanted.contains(found.version, prereleases=True):
            return found
    present = sorted(_present(), key=Version, reverse=True)
    series = request.strip().lstrip("=~>< ").split(",")[0] or OLDEST
    raise InputError(
        f"python_version {request} is not on this machine; present: {', '.join(present)}",
        hint=f"Install it with `uv python install {series}`, or ask for one of those present.",
    )


def _candidates(wanted: SpecifierSet) -> Iterator[Path]:
    try:
        found = run_uv(["python", "find", "--system", "--no-project", "--no-python-downloads", str(wanted)])
        yield Path(found.strip())
    except UvError:
        pass  # absent, or the first python3.x on PATH is a pyenv shim that refuses to run: pyenv's own are next
    versions = [v for v in _pyenv() if wanted.contains(v, prereleases=True)]
    for version in sorted(versions, key=Version, reverse=True):
        yield _pyenv_root() / "versions" / version / "bin" / "python3"
    # Where the user's settings allow it (UV_PYTHON_DOWNLOADS) and it can be reached.
    try:
        run_uv(["python", "install", "--no-bin", str(wanted)])
        yield Path(run_uv(["python", "find", "--managed-python", "--no-project", str(wanted)]).strip())
    except UvError:
        return


def _probe(path: Path) -> Interpreter | None:
    try:
        result = subprocess.run(
            [path, "-I", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
        )
        executable, version, name, machine = json.loads(result.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Interpreter(Path(executable), version, _platform_tag(name, machine))


def _pyenv_root() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def _pyenv() -> Iterator[str]:
    for python in _pyenv_root().glob("versions/*/bin/python3"):
        version = python.parent.parent.name
        if re.fullmatch(r"\d+\.\d+\.\d+\w*", version):
            yield version


def _present() -> set[str]:
    try:
        listed: list[dict[str, Any]] = json.loads(
            run_uv(["python", "list", "--only-installed", "--output-format", "json"])
        )
    except (UvError, ValueError):
        listed = []
    names = {platform.python_version(), *_pyenv(), *(str(entry.get("version")) for entry in listed)}
    return {name for name in names if _valid(name)}


def _valid(version: str) -> bool:
    try:
        return Version(version) >= Version(OLDEST)
    except InvalidVersion:
        return False
