"""Attaches an image's bill of materials to it in a registry, where scanners find it without pulling the image.

It is an artifact whose subject is the image. Registries without an API for referrers have a tag that lists them.

https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
"""

from __future__ import annotations

import json
from typing import Any

from ..errors import NotFoundError
from .model import INDEX_TYPE, MANIFEST_TYPE, Blob, Image, digest_of
from .registry import Repository

BILL_TYPE = "application/vnd.cyclonedx+json"
# What an artifact has in place of a configuration.
EMPTY, EMPTY_TYPE = b"{}", "application/vnd.oci.empty.v1+json"


def bill_manifest(image: Image) -> bytes:
    """Returns the manifest of the image's bill of materials."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": BILL_TYPE,
        "config": Blob(digest_of(EMPTY), len(EMPTY), EMPTY_TYPE).descriptor,
        "layers": [Blob(digest_of(image.bill), len(image.bill), BILL_TYPE).descriptor],
        "subject": Blob(image.digest, len(image.manifest), MANIFEST_TYPE).descriptor,
    }
    return json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()


def attach(image: Image, manifest: bytes, repository: Repository) -> None:
    """Puts the bill's manifest, whose blobs are there, beside the image, which need not be there yet.

    Raises RegistryError if the registry takes no such manifest.
    """
    if not repository.put_referrer(manifest):
        tag = image.digest.replace(":", "-")
        repository.put_manifest(tag, _listing(repository, tag, manifest))


def _listing(repository: Repository, tag: str, manifest: bytes) -> bytes:
    """Returns the list of what refers to the image, with the bill: signatures may be in it, too."""
    try:
        there: list[dict[str, Any]] = json.loads(repository.manifest(tag))["manifests"]
    except (NotFoundError, ValueError, LookupError):
        there = []
    bill: dict[str, Any] = {**Blob(digest_of(manifest), len(manifest), MANIFEST_TYPE).descriptor}
    bill["artifactType"] = BILL_TYPE
    listed = [each for each in there if each.get("digest") != bill["digest"]]
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*listed, bill]}
    return json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
