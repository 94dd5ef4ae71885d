"""The values that flow through the build pipeline. Each is frozen and names its content by hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport_runtime.loading.manifest import ManifestData

# What homeport_runtime itself needs beside the user's packages.
RUNTIME_REQUIREMENTS = ("uvicorn>=0.30",)


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
class ProjectFile:
    """A pyproject.toml, setup.py, setup.cfg or script from which uv itself resolves: it knows sources, indexes and
    build backends. `path` is relative to the project folder `root`; `content` is the hash of all that decides with it.

    `lock` is the uv.lock that has the versions, relative to `root`, empty without one. `indexes` are where the
    installation finds what was resolved, in requirements.txt form.
    """

    root: Path
    path: str
    content: str
    lock: str = ""
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pins:
    """The versions that another tool's lock `file` holds, as constraints (`six==1.17.0`)."""

    file: str
    constraints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requirements:
    """What has to be installed: `text` in requirements.txt form, and what `file` says. `origin` tells a person where
    it comes from, `passed_over` what lies beside it and was not read.

    `inferred` are the requirements guessed from imports; they are shown. `bounds` are limits that the code needs
    (`mcp<2`), tried when the resolution goes beyond them. `upgrade` are packages to resolve anew, all of them when it
    is empty; None keeps what was resolved before.
    """

    text: str
    origin: str
    inferred: tuple[str, ...] = ()
    file: ProjectFile | None = None
    pins: Pins | None = None
    bounds: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    upgrade: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class NodePackages:
    """What npm installs: the texts of package.json (without its scripts), package-lock.json and .npmrc, and the major
    version of Node.
    """

    package: str
    lock: str
    npmrc: str
    node: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """What uv resolved: `text` in requirements.txt form; `local` the content hashes of the local packages in it, by
    path; `notes` what a person may want to know.
    """

    text: str
    local: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """Exact versions with hashes for one interpreter and platform: `text` in requirements.txt form, `hash` its name.
    `packages` are npm's, for a program of Node; `notes` are what a person may want to know of how it came to be.
    """

    text: str
    hash: str
    python: str
    platform: str
    packages: NodePackages | None = None
    notes: tuple[str, ...] = ()


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
class Source:
    """The app part. `folders` are those of the project of which no file is taken: the server finds them, empty."""

    files: tuple[SourceFile, ...]
    folders: tuple[str, ...] = ()


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
    manifest: ManifestData
