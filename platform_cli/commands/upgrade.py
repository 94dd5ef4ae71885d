"""Implements the option --upgrade, by which packages are resolved anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..errors import InputError

upgrade_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--upgrade",
    is_flag=False,
    flag_value="",
    multiple=True,
    metavar="[PACKAGE]",
    help="Take the newest versions that the requirements allow, of all packages or of PACKAGE; repeatable.",
)


def read_upgrade(path: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...] | None]:
    """Returns the PATH, and the packages that --upgrade names: all of them when it is empty, none when it is None.

    `deploy --upgrade server.py` means the server. Raises InputError for a malformed name of a package.
    """
    if not values:
        return path, None
    # Imported late, since few deploys need it.
    from packaging.utils import InvalidName, canonicalize_name

    names = [value for value in values if value]
    for name in names:
        if path == "." and (Path(name.partition(":")[0]).exists() or "/" in name or ":" in name):
            names.remove(name)
            path = name
            break
    try:
        return path, tuple(canonicalize_name(name, validate=True) for name in names if "" not in values)
    except InvalidName as error:
        raise InputError(f"--upgrade: {error}", hint="--upgrade PACKAGE, or --upgrade for all of them") from None
