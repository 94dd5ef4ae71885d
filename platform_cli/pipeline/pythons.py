"""Searches this machine for Pythons: those that uv finds, those of pyenv, and one that uv can install."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ..errors import InputError
from .model import Interpreter, platform_tag
from .uv import UvError, run_uv

OLDEST = "3.10"  # what homeport_runtime runs on
PROBE_TIMEOUT_S = 30.0

_PROBE = (
    "import json, os, platform, sys, sysconfig; print(json.dumps([os.path.realpath(sys._base_executable), "
    "platform.python_version(), sysconfig.get_platform(), platform.machine()]))"
)


def specifiers(request: str) -> SpecifierSet:
    """Returns the versions that `request` allows.

    Raises InputError for what is neither a version nor a specifier, and for a version that is too old.
    """
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


def search(request: str, wanted: SpecifierSet) -> Interpreter:
    """Returns the first Python that `wanted` allows.

    Raises InputError, which lists the Pythons of this machine, when there is none.
    """
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
    # uv installs one if the user's settings allow it (UV_PYTHON_DOWNLOADS) and the network does.
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
    return Interpreter(Path(executable), version, platform_tag(name, machine))


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
