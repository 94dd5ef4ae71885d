"""Writes an image as a folder that every engine loads: an OCI image layout that is a `docker save` archive, too.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..config.image_reference import Reference
from ..errors import InputError
from ..home import write_atomic
from .base import fetch_layer
from .blobs import Blobs
from .model import MANIFEST_TYPE, Image

BLOBS = "blobs/sha256"
MARK, INDEX, SAVED = "oci-layout", "index.json", "manifest.json"
MODE = 0o644


def check_layout_folder(folder: Path) -> None:
    """Raises InputError for a folder that has something other than an image layout in it."""
    if folder.exists() and not (folder / MARK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} has other things in it", hint="--output another folder")


def write_layout(
    image: Image, name: Reference, folder: Path, blobs: Blobs, *, without: AbstractSet[str] = frozenset()
) -> None:
    """Writes the image into `folder` under its `name`, in place of the one that may be there.

    Layers with a digest in `without` are left out, for an engine that has them.
    """
    check_layout_folder(folder)
    wanted = {path.name for path in _write_blobs(image, folder / BLOBS, blobs, without)}
    descriptor = {
        "mediaType": MANIFEST_TYPE,
        "digest": image.digest,
        "size": len(image.manifest),
        # Of containerd and docker, and of the OCI itself.
        "annotations": {"io.containerd.image.name": str(name), "org.opencontainers.image.ref.name": name.tag},
    }
    saved = {
        "Config": _path(image.config_blob.digest),
        "RepoTags": [str(name)],
        "Layers": [_path(layer.blob.digest) for layer in image.layers],
    }
    files = {
        MARK: {"imageLayoutVersion": "1.0.0"},
        SAVED: [saved],
        INDEX: {"schemaVersion": 2, "manifests": [descriptor]},
    }
    for file, content in files.items():
        write_atomic(folder / file, json.dumps(content).encode(), MODE)
    for blob in (folder / BLOBS).iterdir():
        if blob.name not in wanted:
            blob.unlink()


def _write_blobs(image: Image, folder: Path, blobs: Blobs, without: AbstractSet[str]) -> list[Path]:
    """Writes what is missing in `folder`, and returns the files that belong there."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / digest.removeprefix("sha256:") for digest in (image.config_blob.digest, image.digest)]
    for path, content in zip(written, (image.config, image.manifest), strict=True):
        write_atomic(path, content, MODE)
    for layer in image.layers:
        if layer.blob.digest in without:
            continue
        path = folder / layer.blob.digest.removeprefix("sha256:")
        if not path.is_file():
            source = blobs.path(layer.blob.digest)
            if layer not in image.own:
                source = fetch_layer(image.base, layer, blobs)
            partial = path.with_name(f".{path.name}")
            shutil.copyfile(source, partial)
            partial.replace(path)
        written.append(path)
    return written


def _path(digest: str) -> str:
    return f"{BLOBS}/{digest.removeprefix('sha256:')}"
