"""Defines images and their parts, each of them frozen and named by the digest of its content.

The terms are those of the OCI Image Format Specification: https://github.com/opencontainers/image-spec
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..config.image_reference import Reference

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Blob:
    """Describes a blob, with its `size` in bytes, as an OCI content descriptor does."""

    digest: str
    size: int
    media_type: str

    @property
    def descriptor(self) -> dict[str, str | int]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """Is one layer: its compressed tar as `blob`, and the digest of the tar itself as `diff_id`.

    `history` says of a layer of homeport's own what is in it.
    """

    blob: Blob
    diff_id: str
    history: str = ""


@dataclass(frozen=True, slots=True)
class Base:
    """Is an image that others are based on.

    `reference` has the digest of its manifest for this processor. `config` is its image configuration.
    """

    reference: Reference
    layers: tuple[ImageLayer, ...]
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Process:
    """Is the first process of an image's containers: its `command`, the `folder` that it runs in, and its `variables`.

    `arguments` follow the command, and whoever starts a container may give others. `health` is the command that tells
    whether it is well, which counts after `start_timeout_s` seconds. It listens on `port`, if that is not None.
    """

    command: Sequence[str]
    folder: str
    variables: Mapping[str, str]
    health: Sequence[str]
    start_timeout_s: float
    port: int | None = None
    arguments: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """Is an image that homeport has made: `own` layers upon those of the `base`.

    `config` and `manifest` are the bytes of the image configuration and of the image manifest, `bill` those of the bill
    of materials of its packages, empty without one.
    """

    base: Base
    own: tuple[ImageLayer, ...]
    config: bytes
    manifest: bytes
    bill: bytes = b""

    @property
    def layers(self) -> tuple[ImageLayer, ...]:
        """Returns all layers, the lowest first."""
        return (*self.base.layers, *self.own)

    @property
    def config_blob(self) -> Blob:
        """Returns the description of the configuration, whose digest is the image's id in an engine."""
        return Blob(digest_of(self.config), len(self.config), CONFIG_TYPE)

    @property
    def digest(self) -> str:
        """Returns the digest of the manifest, by which registries know the image."""
        return digest_of(self.manifest)
