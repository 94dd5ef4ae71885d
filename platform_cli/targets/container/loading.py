"""Loads an image into the engine, which gets only the layers that it does not have."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...config.image_reference import Reference
from ...errors import ReleaseError
from ...home import Home
from ...images.contents import Layers
from ...images.layout import write_layout
from ...images.model import Image
from ...supervisor.container_spec import image_name
from ...supervisor.engine import Engine
from ...temporary import temporary_folder

# The label of every image that homeport has made.
LABEL = "homeport.lock"
# The characters of an image's digest that make its tag.
TAG = 24


def load_image(engine: Engine, image: Image, project: str, home: Home) -> str:
    """Loads the image if the engine does not have it, and returns its name there.

    Raises ReleaseError if the engine refuses it, and RegistryError if layers of the base cannot be fetched.
    """
    registry, _, repository = image_name(home, project).partition("/")
    name = Reference(registry, repository, image.digest.removeprefix("sha256:")[:TAG])
    if engine.layers_of(str(name)) is None:
        there = _lowest_in_common(engine, [layer.diff_id for layer in image.layers])
        known = frozenset(layer.blob.digest for layer in image.layers[:there])
        try:
            _load(engine, image, name, home, known)
        except ReleaseError:
            if not known:
                raise
            # An engine may need all layers together, or may have dropped one since it was asked.
            _load(engine, image, name, home, frozenset())
    return str(name)


def _lowest_in_common(engine: Engine, layers: Sequence[str]) -> int:
    """Returns how many of the lowest layers the engine has in one of its images."""

    def in_common(other: Sequence[str]) -> int:
        return next((at for at, pair in enumerate(zip(layers, other, strict=False)) if pair[0] != pair[1]), len(other))

    found = (engine.layers_of(image) for image in engine.images(LABEL))
    return max((min(in_common(other), len(layers)) for other in found if other), default=0)


def _load(engine: Engine, image: Image, name: Reference, home: Home, known: frozenset[str]) -> None:
    with temporary_folder("image") as folder:
        write_layout(image, name, folder / "layout", Layers(home).blobs, without=known)
        with tempfile.TemporaryFile(dir=folder) as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                for path in sorted(Path(folder / "layout").iterdir()):
                    tar.add(path, path.name)
            archive.seek(0)
            engine.load(archive, str(name))
