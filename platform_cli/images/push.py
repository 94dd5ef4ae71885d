"""Pushes an image to a registry: what is there already is not sent, and what another repository has is mounted."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ..config.image_reference import Reference
from ..errors import NotFoundError
from .base import fetch_layer
from .blobs import Blobs
from .model import Blob, Image, ImageLayer
from .registry import Repository


@dataclass(frozen=True, slots=True)
class Pushed:
    """Reports on a push: the number of blobs that were `sent`, their `bytes`, and the number of those `mounted`."""

    sent: int
    bytes: int
    mounted: int
    changed: bool


def push_image(image: Image, to: Reference, blobs: Blobs) -> Pushed:
    """Pushes the image under the tag of `to`, which then is the image's, or what it was before after an error.

    Raises RegistryError. Blobs that have arrived by then are not sent again.
    """
    with Repository(to) as repository:
        before = _manifest(repository, to.tag)
        if before == image.manifest:
            return Pushed(0, 0, 0, changed=False)
        push = _Push(image, to, blobs, repository, _blobs_of(before))
        for layer in image.layers:
            push.layer(layer)
        push.config()
        repository.put_manifest(to.tag, image.manifest)
    return Pushed(push.sent, push.bytes, push.mounted, changed=True)


class _Push:
    """Is one push; `there` are digests that the repository has for sure."""

    def __init__(
        self, image: Image, to: Reference, blobs: Blobs, repository: Repository, there: AbstractSet[str]
    ) -> None:
        self._image = image
        self._to = to
        self._blobs = blobs
        self._repository = repository
        self._there = there
        self.sent = self.bytes = self.mounted = 0

    def layer(self, layer: ImageLayer) -> None:
        digest, base = layer.blob.digest, self._image.base
        if self._is_there(digest):
            return
        if layer in self._image.own:
            self._send(layer.blob)
        elif base.reference.registry == self._to.registry and self._repository.mount(digest, base.reference.repository):
            self.mounted += 1
        else:
            fetch_layer(base, layer, self._blobs)
            self._send(layer.blob)

    def config(self) -> None:
        blob = self._image.config_blob
        if not self._is_there(blob.digest):
            self._blobs.add([self._image.config])
            self._send(blob)

    def _is_there(self, digest: str) -> bool:
        return digest in self._there or self._repository.has(digest)

    def _send(self, blob: Blob) -> None:
        self._repository.push(blob.digest, self._blobs.path(blob.digest))
        self.sent += 1
        self.bytes += blob.size


def _manifest(repository: Repository, tag: str) -> bytes:
    try:
        return repository.manifest(tag)
    except NotFoundError:
        return b""


def _blobs_of(manifest: bytes) -> AbstractSet[str]:
    """Returns the blobs of an image that the repository has: a registry takes no manifest without them."""
    try:
        data = json.loads(manifest)
        return {data["config"]["digest"], *(layer["digest"] for layer in data["layers"])}
    except (ValueError, LookupError, TypeError):
        return frozenset()
