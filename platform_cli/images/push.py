"""Pushes an image to a registry: what is there already is not sent, and what another repository has is mounted."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ..config.image_reference import Reference
from ..errors import NotFoundError
from .base import fetch_layer
from .blobs import Blobs
from .model import CONFIG_TYPE, Blob, Image, ImageLayer, digest_of
from .referrer import BILL_TYPE, EMPTY, EMPTY_TYPE, attach, bill_manifest
from .registry import RegistryRefusedError, Repository


@dataclass(frozen=True, slots=True)
class Pushed:
    """Reports on a push: the number of blobs that were `sent`, their `bytes`, and the number of those `mounted`.

    `bill` is the digest under which the registry has the bill of materials, None if it takes none.
    """

    sent: int
    bytes: int
    mounted: int
    changed: bool
    bill: str | None


def push_image(image: Image, to: Reference, blobs: Blobs) -> Pushed:
    """Pushes the image under the tag of `to`, which then is the image's, or what it was before after an error.

    Raises RegistryError. Blobs that have arrived by then are not sent again.
    """
    with Repository(to) as repository:
        before = _manifest(repository, to.tag)
        if before == image.manifest:
            return Pushed(0, 0, 0, changed=False, bill=_bill_there(image, repository))
        push = _Push(image, to, blobs, repository, _blobs_of(before))
        for layer in image.layers:
            push.layer(layer)
        push.config()
        # Before the tag, with which the push is complete.
        bill = push.bill() if image.bill else None
        repository.put_manifest(to.tag, image.manifest)
    return Pushed(push.sent, push.bytes, push.mounted, changed=True, bill=bill)


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
        self._content(self._image.config, CONFIG_TYPE)

    def bill(self) -> str | None:
        """Pushes the bill of materials, and returns its digest, None if the registry takes none: it is in the image."""
        self._content(EMPTY, EMPTY_TYPE)
        self._content(self._image.bill, BILL_TYPE)
        manifest = bill_manifest(self._image)
        try:
            attach(self._image, manifest, self._repository)
        except (RegistryRefusedError, NotFoundError):
            return None
        return digest_of(manifest)

    def _content(self, content: bytes, media_type: str) -> None:
        blob = Blob(digest_of(content), len(content), media_type)
        if not self._is_there(blob.digest):
            self._blobs.add([content])
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


def _bill_there(image: Image, repository: Repository) -> str | None:
    """Returns the digest of the image's bill of materials if the registry has taken that."""
    digest = digest_of(bill_manifest(image)) if image.bill else None
    return digest if digest is not None and _manifest(repository, digest) else None


def _blobs_of(manifest: bytes) -> AbstractSet[str]:
    """Returns the blobs of an image that the repository has: a registry takes no manifest without them."""
    try:
        data = json.loads(manifest)
        return {data["config"]["digest"], *(layer["digest"] for layer in data["layers"])}
    except (ValueError, LookupError, TypeError):
        return frozenset()
