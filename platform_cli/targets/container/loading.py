"""Loads an image into the engine, which gets only the layers that it does not have."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...config.image_reference import Reference
from ...errors import ReleaseError
from ...home import Home
from ...images.contents import Layers
from ...images.layout import write_layout
from ...images.model import Image
from ...supervisor.container_spec import image_name
from ...supervisor.engine import Engine
from ...supervisor.loaded_images import remember
from ...temporary import temporary_folder

# The label of every image that homeport has made.
LABEL = "homeport.lock"
# The characters of an image's digest that make its tag.
TAG = 24


@dataclass(frozen=True, slots=True)
class Loaded:
    """Is an image that the engine has, by its name there; `is_new` if it did not have it before."""

    name: str
    is_new: bool


def load_image(engine: Engine, image: Image, home: Home) -> Loaded:
    """Loads the image if the engine does not have it.

    Raises ReleaseError if the engine refuses it, and RegistryError if layers of the base cannot be fetched.
    """
    name = name_of(image, home)
    remember(home, name.tag)
    if engine.layers_of(str(name)) is not None:
        return Loaded(str(name), is_new=False)
    there = _lowest_in_common(engine, [layer.diff_id for layer in image.layers])
    known = frozenset(layer.blob.digest for layer in image.layers[:there])
    try:
        _load(engine, image, name, home, known)
    except ReleaseError:
        if not known:
            raise
        # An engine may need all layers together, or may have dropped one since it was asked.
        _load(engine, image, name, home, frozenset())
    return Loaded(str(name), is_new=True)


def name_of(image: Image, home: Home) -> Reference:
    """Returns the image's name in the engine."""
    registry, _, repository = image_name(home).partition("/")
    return Reference(registry, repository, image.digest.removeprefix("sha256:")[:TAG])


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
