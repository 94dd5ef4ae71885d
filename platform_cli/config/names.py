"""Project names: one DNS label, since the name becomes part of URLs and host names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platform_cli.errors import InputError

RULE = "a DNS label: 1 to 63 of a-z, 0-9 and -, with no - at either end"

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_name(text: str) -> bool:
    """Whether `text` is a lower-case DNS label (RFC 1123, section 2.1)."""
    return _LABEL.fullmatch(text) is not None


def check_name(name: str, where: str) -> str:
    """Returns `name`, or raises InputError that begins with `where` it came from (`--name`) and proposes another."""
    if is_name(name):
        return name
    raise InputError(f"{where}: {name!r} is not a project name; a name is {RULE}", hint=suggestion(name))


def suggestion(name: str) -> str | None:
    """What to try instead of a bad name."""
    slug = slugify(name)
    return f'Try "{slug}".' if slug else None


def slugify(text: str) -> str | None:
    """The name nearest to free text (a server's title, a folder), None when nothing of it can be kept."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-")
    return slug or None


def default_name(contract: Mapping[str, Any] | None, folder: Path) -> str:
    """The name of a project for which nobody chose one: the server's own, else the folder's.

    fastmcp invents a name with four random digits for a server that was given none: that one is not taken.
    """
    own = str(contract["name"]) if contract else ""
    invented = own.startswith("FastMCP") and (own == "FastMCP" or (len(own) == 12 and own[7] == "-"))
    return (None if invented else slugify(own)) or slugify(folder.name) or "server"
