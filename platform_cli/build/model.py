"""The values that flow through the build pipeline. Each is frozen and names its content by hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python on this machine. `version` is `3.11.7`; `platform` a tag such as `linux-x86_64`.

    With `foreign` it stands for the same Python elsewhere: `platform` is uv's name of that machine's kind, for which
    only ready-made wheels can be taken.
    """

    path: Path
    version: str
    platform: str
    foreign: bool = False

    @property
    def minor(self) -> str:
        """`3.11`: what compiled packages are built for."""
        return ".".join(self.version.split(".")[:2])

    @property
    def uv_options(self) -> list[str]:
        """What tells uv to work for this interpreter."""
        elsewhere = ["--python-platform", self.platform, "--python-version", self.minor, "--only-binary", ":all:"]
        return ["--python", str(self.path), *(elsewhere if self.foreign else ())]


@dataclass(frozen=True, slots=True)
class Requirements:
    """What has to be installed: `text` in requirements.txt form, `origin` where it comes from, for the person.

    `inferred` are the requirements guessed from imports; they are shown. `locked` says that `text` is complete
    already (exported from a uv.lock) and must not be resolved again.
    """

    text: str
    origin: str
    inferred: tuple[str, ...] = ()
    locked: bool = False
    requires_python: str | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """Exact versions with hashes for one interpreter and platform: `text` in requirements.txt form, `hash` its name."""

    text: str
    hash: str
    python: str
    platform: str


@dataclass(frozen=True, slots=True)
class Layer:
    """Installed dependencies, shared by every release with the same lock: `path` holds the packages."""

    path: Path
    hash: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the app part: `path` relative to the project folder (POSIX form), `sha256` of its content."""

    path: str
    sha256: str
    executable: bool


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a server said of itself. `chosen` says to the person what is served, and why it is that. `contract` has
    name, version, instructions, capabilities, tools, prompts, resources and resourceTemplates; None for an ASGI app
    without /mcp. `modules` were loaded in the end; `packages` are the ten slowest to import, with seconds; `seconds` is
    the import time of all.
    """

    kind: str
    object: str | None
    chosen: str
    contract: Mapping[str, Any] | None
    modules: tuple[str, ...]
    packages: tuple[tuple[str, float], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Bundle:
    """App source, the manifest and, by hash, the layer and the runtime: all that a release needs. `path` holds it."""

    path: Path
    hash: str
    manifest: Mapping[str, Any]
