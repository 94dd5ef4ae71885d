"""Defines the values that flow through the build pipeline, each of them frozen and named by a hash of its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport_runtime.libraries.tried import limit

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import GapData, ManifestData, UntriedData

# The packages that homeport_runtime itself needs beside the user's.
RUNTIME_REQUIREMENTS = ("uvicorn>=0.30",)
# What it needs beside that to check the tokens of somebody else's authorization server. Older ones have known faults.
ISSUER_REQUIREMENTS = ("pyjwt[crypto]>=2.13",)
# The limits that apply to these where the user's own requirements allow it.
RUNTIME_BOUNDS = (f"uvicorn{limit('uvicorn')}",)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Is a Python on this machine.

    `version` is like `3.11.7`, `platform` a tag like `linux-x86_64`. With `foreign` it stands for the same Python on
    another kind of machine: `platform` is then uv's name of that kind, for which nothing can be compiled here.
    """

    path: Path
    version: str
    platform: str
    foreign: bool = False

    @property
    def minor(self) -> str:
        """Returns the minor version (`3.11`), for which compiled packages are built."""
        return ".".join(self.version.split(".")[:2])

    @property
    def uv_options(self) -> list[str]:
        """Returns the options with which uv works for this interpreter."""
        elsewhere = ["--python-platform", self.platform, "--python-version", self.minor]
        return ["--python", str(self.path), *(elsewhere if self.foreign else ())]


def platform_tag(name: str, machine: str) -> str:
    """Returns the tag (`linux-x86_64`, `macos-arm64`) for sysconfig.get_platform(), whose macOS form also names the
    SDK.
    """
    return f"macos-{machine}" if name.startswith("macosx") else name


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """Is a pyproject.toml, setup.py, setup.cfg or script from which uv itself resolves.

    uv knows its sources, indexes and build backends. `path` is relative to the project folder `root`; `content` is the
    hash of all files that decide the resolution. `lock` is the path of the uv.lock with the versions, relative to
    `root`, empty without one. `indexes` are where the installation finds what was resolved, in requirements.txt form.
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
    """Holds the versions in another tool's lock `file` as constraints (`six==1.17.0`)."""

    file: str
    constraints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requirements:
    """Holds what has to be installed: `text` in requirements.txt form, and what `file` declares.

    `origin` tells a person where it comes from, `passed_over` which files beside it were not read. `inferred` are the
    requirements guessed from imports. `bounds` are limits that the code needs (`mcp<2`), applied when the resolution
    exceeds them. `runtime` are the packages that homeport_runtime needs. `upgrade` are packages to resolve anew, all of
    them when it is empty; None keeps what was resolved before.
    """

    text: str
    origin: str
    inferred: tuple[str, ...] = ()
    file: ProjectFile | None = None
    pins: Pins | None = None
    bounds: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    upgrade: tuple[str, ...] | None = None
    runtime: tuple[str, ...] = RUNTIME_REQUIREMENTS


@dataclass(frozen=True, slots=True)
class NodePackages:
    """Holds what npm installs.

    That is the texts of package.json (without its scripts), package-lock.json and .npmrc, and the major version of
    Node.
    """

    package: str
    lock: str
    npmrc: str
    node: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Holds what uv resolved, as `text` in requirements.txt form.

    `local` are the content hashes of the local packages in it, by path; `notes` are sentences for the person.
    """

    text: str
    local: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """Holds exact versions with hashes for one interpreter and platform, as `text` in requirements.txt form.

    `hash` is its name. `packages` are those of npm, for a program of Node; `notes` are sentences for the person.
    """

    text: str
    hash: str
    python: str
    platform: str
    packages: NodePackages | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """Is a folder of installed dependencies, shared by every release with the same lock."""

    path: Path
    hash: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Is one file of the app: its `path` relative to the project folder (POSIX form) and its content's `sha256`."""

    path: str
    sha256: str
    executable: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Holds the app's files, and as `folders` those of the project that are deployed empty, because the server may need
    them.
    """

    files: tuple[SourceFile, ...]
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """Holds what a server told of itself when it was inspected.

    `chosen` tells the person what is served, and why. `contract` has name, version, instructions, capabilities, tools,
    prompts, resources and resourceTemplates; it is None for an ASGI app without /mcp. `modules` are those that were
    loaded in the end, `packages` the ten slowest to import, with seconds, and `seconds` is the time of all imports.
    `untried` and `gaps` are what to report about its libraries.
    """

    kind: str
    object: str | None
    chosen: str
    contract: Mapping[str, Any] | None
    modules: tuple[str, ...]
    packages: tuple[tuple[str, float], ...]
    seconds: float
    untried: Sequence[UntriedData] = ()
    gaps: Sequence[GapData] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """Is a folder with all that a release needs: the app's source, and a manifest that names the layer
    and the runtime.
    """

    path: Path
    hash: str
    manifest: ManifestData
