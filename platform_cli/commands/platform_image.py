"""Implements `homeport platform image`."""

from __future__ import annotations

from pathlib import Path

import click

from ..config.image_reference import Reference, parse_reference
from ..config.project import Architecture
from ..errors import InputError
from ..home import open_home
from .image_delivery import deliver, output_option, push_option, push_reference, report
from .options import json_option
from .output import Output


@click.command("image")
@click.option("--base", metavar="REF", help="Docker's image of a Python, or one made of it; default: python:X.Y-slim.")
@click.option("--architecture", type=click.Choice(["arm64", "x86_64"]), help="Its processor; default: this machine's.")
@output_option
@push_option
@json_option
def platform_image_command(
    base: str | None, architecture: Architecture | None, folder: Path | None, pushed_to: str | None, as_json: bool
) -> None:
    """Make a container image of the platform itself, without Docker.

    Its state is in /var/lib/homeport, for a volume. infra/container/platform has files for Docker Compose and for
    Kubernetes that run it behind Caddy.
    """
    from ..images.build import architecture_of
    from ..images.platform_image import NAME, make_platform_image

    output = Output(as_json=as_json)
    to, wanted = push_reference(pushed_to, folder), _base(base)
    stages = output.stages()
    try:
        image = make_platform_image(wanted, architecture_of(architecture), open_home(), stages)
        delivered = deliver(image, NAME, folder, to, stages)
    finally:
        output.stop_spinner()
    output.result(*report(image, NAME, delivered, stages))


def _base(text: str | None) -> Reference | None:
    try:
        return parse_reference(text) if text is not None else None
    except ValueError as error:
        raise InputError(f"--base {text!r} {error}", hint="--base python:3.12-slim") from None
