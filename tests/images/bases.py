"""Makes base images for tests, by homeport's own builder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from platform_cli.config.image_reference import Reference
from platform_cli.images.blobs import Blobs
from platform_cli.images.image_config import image_manifest
from platform_cli.images.layer_tar import Entry, write_layer
from platform_cli.images.model import Base, Image

EMPTY = Reference("127.0.0.1", "nothing", "latest")


def tiny_base(
    folder: Path,
    *,
    environment: Sequence[str] = ("PATH=/usr/local/bin:/usr/bin:/bin",),
    architecture: str = "amd64",
    history: str = "debian",
    files: Mapping[str, Entry] | None = None,
) -> tuple[Image, Blobs]:
    """Returns an image with one layer, and the blobs of it below `folder`."""
    blobs = Blobs(folder / "blobs")
    layer = write_layer(blobs, files or {"etc/os-release": Entry(b"ID=debian\n")}, "base")
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": [*environment], "Labels": {"org.opencontainers.image.title": "base", "kept": "yes"}},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": [{"created_by": history}, {"created_by": "CMD", "empty_layer": True}],
        }
    ).encode()
    return Image(Base(EMPTY, (), {}), (layer,), config, image_manifest(config, (layer,), {})), blobs
