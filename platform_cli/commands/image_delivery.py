"""Writes and pushes images that commands have made, and reports on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config.image_reference import DOCKER_HUB, Reference, parse_reference
from ..errors import InputError
from ..home import open_home
from .plans import timed

if TYPE_CHECKING:
    from ..api.image import ImageReport
    from ..images.model import Image
    from ..pipeline.stages import Stages

output_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--output", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write it into DIR."
)
push_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--push", "pushed_to", metavar="REF", help="Push it as REF, such as ghcr.io/you/server:1.0."
)


@dataclass(frozen=True, slots=True)
class Delivered:
    """Says where an image is now: in `folder`, and in a registry as `to`, which got `sent` bytes; `lines` tell it.

    `bill` is the digest under which the registry has the bill of materials.
    """

    folder: Path | None
    to: Reference | None
    sent: int
    bill: str | None
    lines: tuple[str, ...]


def push_reference(text: str | None, folder: Path | None) -> Reference | None:
    """Returns where an image is to be pushed to.

    Raises InputError for what is no such place, and for a folder that has something else in it.
    """
    reference = _read(text) if text is not None else None
    if folder is not None:
        from ..images.layout import check_layout_folder

        check_layout_folder(folder)
    return reference


def _read(text: str) -> Reference:
    try:
        reference = parse_reference(text)
    except ValueError as error:
        raise InputError(f"--push {text!r} {error}", hint="--push REGISTRY/NAME:TAG") from None
    if reference.digest:
        raise InputError(f"--push {text!r} names a digest, which follows from the image", hint="leave @... out")
    return reference


def deliver(image: Image, name: str, folder: Path | None, to: Reference | None, stages: Stages) -> Delivered:
    """Writes and pushes the image `name` as far as that was asked for."""
    from ..images.contents import Layers
    from ..images.layout import write_layout
    from ..images.push import push_image

    blobs = Layers(open_home()).blobs
    lines: list[str] = []
    sent, bill = 0, None
    if folder is not None:
        with stages.run("write"):
            write_layout(image, to or Reference(DOCKER_HUB, f"library/{name}", "latest"), folder, blobs)
        lines.append(f"{folder}: tar -C {folder} -c . | docker load")
    if to is not None:
        with stages.run("push") as stage:
            pushed = push_image(image, to, blobs)
            stage.cached, sent, bill = not pushed.changed, pushed.bytes, pushed.bill
        done = f"{pushed.sent} blobs sent ({sent / 1000:.0f} KB), {pushed.mounted} mounted"
        lines.append(f"{to}: {done if pushed.changed else 'there already'}")
        if bill is None:
            lines.append(f"{to.registry} takes no bill of materials beside it: it is in the image")
    return Delivered(folder, to, sent, bill, tuple(lines or ["neither written nor pushed: --output DIR or --push REF"]))


def report(image: Image, name: str, delivered: Delivered, stages: Stages) -> tuple[ImageReport, str]:
    """Returns what a command that has made an image prints."""
    size = sum(layer.blob.size for layer in image.layers)
    data: ImageReport = {
        "ok": True,
        "project": name,
        "digest": image.digest,
        "base": str(image.base.reference),
        "bytes": size,
        "path": str(delivered.folder) if delivered.folder else None,
        "reference": f"{delivered.to.name}@{image.digest}" if delivered.to else None,
        "sent_bytes": delivered.sent,
        "bill": delivered.bill,
        "stages": timed(stages),
    }
    return data, "\n".join([f"{name} {image.digest}  {size / 1e6:.1f} MB", *delivered.lines])
