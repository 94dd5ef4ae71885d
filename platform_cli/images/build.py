"""Makes an image of a bundle and a base."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from homeport_runtime.loading.environment import REFERENCE

from ..config.image_reference import DOCKER_HUB, Reference
from ..config.project import Architecture, ContainerSettings, Project
from ..errors import ConfigError
from ..home import Home
from ..pipeline.build import Built
from ..pipeline.layer import build_layer
from ..pipeline.lock import make_lock
from ..pipeline.model import Interpreter
from ..pipeline.node import lock_packages, with_packages
from .base import check_python, find_base, python_version
from .contents import Layers
from .image_config import STANDARD_LABELS, image_config, image_manifest
from .model import Base, Image, Process
from .places import HOME, PORT, START, WORK
from .sbom import bill_of_materials

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import ManifestData

# The oldest glibc that a base may have: that of the wheels' platform tag (PEP 600).
GLIBC = (2, 28)
MACHINES: Mapping[Architecture, str] = {"arm64": "aarch64", "x86_64": "x86_64"}


def architecture_of(wanted: Architecture | None) -> Architecture:
    """Returns the processor of the image: the one that is configured, else this machine's."""
    here: Architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    return wanted or here


def packages_for(own: Interpreter, architecture: Architecture) -> Interpreter:
    """Returns the Python with which the server is loaded here: with the image's packages if they run here, too."""
    from packaging.tags import platform_tags

    machine = MACHINES[architecture]
    there = own.platform == f"linux-{machine}" and f"manylinux_{GLIBC[0]}_{GLIBC[1]}_{machine}" in platform_tags()
    return in_image(own, architecture) if there else own


def in_image(own: Interpreter, architecture: Architecture) -> Interpreter:
    """Returns the same Python in an image."""
    tag = f"{MACHINES[architecture]}-manylinux_{GLIBC[0]}_{GLIBC[1]}"
    return replace(own, platform=tag, foreign=True)


def base_for(manifest: ManifestData, settings: ContainerSettings, home: Home, *, anew: bool) -> Base:
    """Returns the base that is configured, else Docker's official image of the Python of a bundle of that manifest.

    It is as it was found before, unless it is to be asked for `anew`.

    Raises ConfigError for one that does not fit, and RegistryError if its registry does not answer.
    """
    command, minor = manifest["command"], _python_of(manifest).minor
    if command and settings.base is None:
        raise ConfigError(
            f"the server is started by {command[0]}, which Docker's image of Python does not have",
            hint='name an image that has it, and Python, with base = "..." under [deployment.container]',
        )
    wanted = settings.base or Reference(DOCKER_HUB, "library/python", f"{minor}-slim")
    base = find_base(wanted, architecture_of(settings.architecture), home, anew=anew)
    check_python(base, minor)
    return base


def build_image(
    built: Built,
    project: Project,
    name: str,
    base: Base,
    home: Home,
    origin: Mapping[str, str] = MappingProxyType({}),
    issuer: bytes | None = None,
) -> Image:
    """Returns the image of `built`, a bundle of `project`, whose layers are made once for the same content.

    `name` is its title, `origin` are labels that say what it was made from, and `issuer` is what an image for itself
    knows of its callers' authorization server (homeport_runtime.guard.issuer_file). The layers of homeport's own are in
    `Layers(home).blobs`; those of the base may not be there.

    Raises LayerError if the packages are not those of the lock.
    """
    own = _python_of(built.bundle.manifest)
    foreign = in_image(own, architecture_of(project.in_container.architecture))
    lock, _cached = make_lock(built.requirements, foreign, home.cache)
    packages, _cached = lock_packages(project, home.cache)
    lock = with_packages(lock, packages) if packages else lock
    layer, _cached = build_layer(lock, foreign, home.layers)
    layers = Layers(home)
    made = (
        *([layers.python(own)] if python_version(base) else []),
        layers.packages(lock, layer, own, loaded_here=built.bundle.manifest["imports"]["modules"]),
        layers.runtime(built.bundle.manifest["runtime"], own),
        layers.app(built.bundle, issuer),
    )
    labels = {**_labels(project, name, base, lock.hash), **origin}
    process = server_process(built.bundle.manifest, name, own, project.start_timeout_s)
    config = image_config(base, made, process, labels)
    manifest = image_manifest(config, (*base.layers, *made), labels)
    return Image(base, made, config, manifest, bill_of_materials(lock))


def server_process(manifest: Mapping[str, Any], name: str, python: Interpreter, start_timeout_s: float) -> Process:
    """Returns how a server of this manifest is started; `name` is that of the project in its log records."""
    # By its minor version, a Python that the packages are not for is not found, instead of failing to import them.
    command = (f"python{python.minor}", "-I", "-S", "-X", "utf8", f"/{START}")
    # Those with secrets are made when it starts. The image's own PATH is that of its base.
    configured = sorted(manifest["environment"].items())
    plain = {key: text for key, text in configured if key != "PATH" and not REFERENCE.search(text)}
    own = {"HOME": f"/{HOME}", "PORT": str(PORT), "HOMEPORT_PROJECT": name}
    # What a volume is mounted at: in an empty one an engine would make a folder below for root alone.
    return Process(command, f"/{WORK}", {**plain, **own}, (*command, "health"), start_timeout_s, PORT)


def base_image(manifest: ManifestData, base: Base) -> Image:
    """Returns the image of a base alone, which starts as one of a bundle of that manifest: what it needs is mounted."""
    process = server_process({"environment": {}}, "", _python_of(manifest), 0)
    config = image_config(base, (), process, {})
    return Image(base, (), config, image_manifest(config, base.layers, {}))


def _python_of(manifest: ManifestData) -> Interpreter:
    """Returns the Python of this machine with which the bundle was built."""
    interpreter = manifest["interpreter"]
    return Interpreter(Path(interpreter["path"]), interpreter["version"], "")


def _labels(project: Project, name: str, base: Base, lock: str) -> dict[str, str]:
    """Returns what the image says of itself
    (https://github.com/opencontainers/image-spec/blob/main/annotations.md).
    """
    standard = {
        "title": name,
        "description": project.description,
        "version": project.version,
        "base.name": f"{base.reference.name}:{base.reference.tag}",
        "base.digest": base.reference.digest or "",
    }
    return {
        **{f"{STANDARD_LABELS}{key}": text for key, text in standard.items() if text},
        "homeport.lock": lock,
    }
