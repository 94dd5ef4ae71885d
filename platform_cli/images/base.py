"""Finds the image that others are based on, by its registry's API, and keeps what was found until it is asked anew."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.image_reference import DIGEST, Reference
from ..config.project import Architecture
from ..errors import ConfigError, NotFoundError, RegistryError
from ..home import Home, write_atomic
from .blobs import Blobs
from .model import LAYER_TYPE, Base, Blob, ImageLayer, digest_of
from .registry import Repository

# As images and their indexes name processors (https://go.dev/doc/install/source#environment).
NAMES: Mapping[Architecture, str] = {"arm64": "arm64", "x86_64": "amd64"}
# Docker's own names of what the OCI calls otherwise.
SAME_TYPES = {"application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_TYPE}
# Of Alpine Linux, whose C library is musl: wheels are for glibc.
_MUSL = re.compile(r"alpine|musl")


def find_base(wanted: Reference, architecture: Architecture, home: Home, *, anew: bool) -> Base:
    """Returns the base for a processor: as it was found before, unless it is to be asked for `anew`.

    Raises ConfigError for a base that is not there or does not fit, and RegistryError if its registry does not answer.
    """
    name = hashlib.sha256(f"{wanted}\0{architecture}".encode()).hexdigest()[:32]
    record = home.cache / "images" / "bases" / f"{name}.json"
    if record.exists() and not anew:
        found = json.loads(record.read_bytes())
        return _base(wanted, found["manifest"].encode(), found["config"].encode())
    try:
        with Repository(wanted) as repository:
            manifest = _for_processor(repository, wanted, architecture)
            config = _config(repository, manifest)
        base = _base(wanted, manifest, config)
    except NotFoundError as error:
        raise ConfigError(f"the base is not there: {error.message}", hint=_HINT) from None
    except RegistryError as error:
        raise RegistryError(f"the base {wanted}: {error.message}", hint=f"{error.hint}; or {_HINT}") from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise RegistryError(f"what {wanted.registry} has as {wanted} is no image", hint=_HINT) from None
    _check_processor(base, architecture)
    _check_libc(base)
    write_atomic(record, json.dumps({"manifest": manifest.decode(), "config": config.decode()}).encode())
    return base


_HINT = 'name another with base = "..." under [deployment.container] in fastmcp.toml'


def check_python(base: Base, minor: str) -> None:
    """Raises ConfigError if the base says of itself that it has another Python than the packages are for.

    Docker's official images say so; that of others is looked for when a container starts.
    """
    version = python_version(base) or minor
    if version != minor and not version.startswith(f"{minor}."):
        raise ConfigError(
            f"the base {base.reference} has Python {version}, and the packages are for {minor}",
            hint=f'another base, or python_version = "{".".join(version.split(".")[:2])}" under [deployment]',
        )


def python_version(base: Base) -> str | None:
    """Returns the version of Python that the base says that it has, as Docker's official images do, None if it says
    none.
    """
    variables = dict(variable.partition("=")[::2] for variable in _settings(base).get("Env") or [])
    return variables.get("PYTHON_VERSION")


def fetch_layer(base: Base, layer: ImageLayer, blobs: Blobs) -> Path:
    """Returns the file with a layer of the base, which is fetched if it is not in `blobs`."""
    digest = layer.blob.digest
    if not blobs.has(digest):
        with Repository(base.reference) as repository:
            blobs.add(repository.pull(digest))
    return blobs.path(digest)


def _for_processor(repository: Repository, wanted: Reference, architecture: Architecture) -> bytes:
    """Returns the image manifest for the processor, of those in the index if there is one."""
    manifest = repository.manifest(wanted.digest or wanted.tag)
    entries = json.loads(manifest).get("manifests")
    if entries is None:
        return manifest
    there = [entry for entry in entries if entry.get("platform", {}).get("os") == "linux"]
    fitting = [entry for entry in there if entry["platform"]["architecture"] == NAMES[architecture]]
    if not fitting:
        raise _other_processor(wanted, architecture, [entry["platform"]["architecture"] for entry in there])
    return repository.manifest(_sound(fitting[0]["digest"]))


def _config(repository: Repository, manifest: bytes) -> bytes:
    return b"".join(repository.pull(_sound(json.loads(manifest)["config"]["digest"])))


def _base(wanted: Reference, manifest: bytes, config: bytes) -> Base:
    """Raises ValueError and its like for what are no manifest and configuration of an image."""
    settings = json.loads(config)
    layers = tuple(
        ImageLayer(_blob(layer), _sound(diff_id))
        for layer, diff_id in zip(json.loads(manifest)["layers"], settings["rootfs"]["diff_ids"], strict=True)
    )
    return Base(replace(wanted, digest=digest_of(manifest)), layers, settings)


def _blob(data: Mapping[str, Any]) -> Blob:
    return Blob(_sound(data["digest"]), int(data["size"]), SAME_TYPES.get(data["mediaType"], data["mediaType"]))


def _sound(digest: str) -> str:
    """Returns a digest that may become the name of a file.

    Raises ValueError for another.
    """
    if not DIGEST.fullmatch(digest):
        raise ValueError(digest)
    return digest


def _settings(base: Base) -> Mapping[str, Any]:
    return base.config.get("config") or {}


def _check_processor(base: Base, architecture: Architecture) -> None:
    named = base.config.get("architecture")
    if (base.config.get("os"), named) != ("linux", NAMES[architecture]):
        raise _other_processor(base.reference, architecture, [f"{base.config.get('os')} on {named}"])


def _check_libc(base: Base) -> None:
    layers = " ".join(str(entry.get("created_by", "")) for entry in base.config.get("history") or [])
    if _MUSL.search(base.reference.tag) or "alpine-minirootfs" in layers:
        raise ConfigError(
            f"the base {base.reference.name}:{base.reference.tag} is Alpine Linux, whose C library is musl, and the "
            "packages' wheels are for glibc",
            hint='a base with glibc, such as "python:3.12-slim"',
        )


def _other_processor(base: Reference, architecture: Architecture, there: Sequence[str]) -> ConfigError:
    return ConfigError(
        f"the base {base} is not there for {architecture}, only for {', '.join(sorted(set(there))) or 'nothing'}",
        hint='another base, or architecture = "..." under [deployment.container]',
    )
