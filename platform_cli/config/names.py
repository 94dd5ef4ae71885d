"""Checks project names: each is one DNS label, since it becomes part of URLs and host names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InputError
from .project import Project

# The longest name that every target can take: Lambda's functions are called homeport-NAME, with at most 64 characters.
MAX_ON_ANY_TARGET = 55
RULE = "a DNS label: 1 to 63 of a-z, 0-9 and -, with no - at either end"

# What stands between project and host in the name of a resource elsewhere, and in no project's name.
AT = "@"

# `pypi:name[extra]==1`, `npm:@scope/name@1`
_PACKAGE = re.compile(r"(?:pypi:|npm:(?:@[^/]+/)?)([A-Za-z0-9._-]+).*")
_INVENTED = re.compile(r"fastmcp(-[0-9a-f]{4})?")
_COMMON = frozenset({"mcp", "server", "mcp-server", "app", "main"})
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_name(text: str) -> bool:
    """Tells whether `text` is a lower-case DNS label (RFC 1123, section 2.1)."""
    return _LABEL.fullmatch(text) is not None


def check_name(name: str, where: str) -> str:
    """Returns `name` if it is a project name.

    Raises InputError otherwise, which begins with `where` the name came from (`--name`) and proposes another.
    """
    if is_name(name):
        return name
    raise InputError(f"{where}: {name!r} is not {RULE}", hint=suggestion(name))


def suggestion(name: str) -> str | None:
    """Returns a hint with a good name that is near to a bad one, None when there is none."""
    slug = slugify(name)
    return f'for example "{slug}"' if slug else None


def slugify(text: str) -> str | None:
    """Returns the name nearest to free text (a server's title, a folder), None when nothing of it can be kept."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-")
    return slug or None


def default_name(contract: Mapping[str, Any] | None, project: Project) -> str:
    """Returns the name of a project for which nobody chose one.

    It is the name of its source if it has one, else the server's own, else the folder's. A name that fastmcp invented
    for a server without one, with random digits, is not taken, and none that many servers have.
    """
    own = slugify(str(contract["name"])) if contract else None
    taken = own if own and not _INVENTED.fullmatch(own) and own not in _COMMON else None
    sourced = slugify(source_name(project.source)) if project.source else None
    return sourced or taken or slugify(Path(project.place).name) or "server"


def source_name(source: str) -> str:
    """Returns what a person calls a source.

    That is the package without registry, scope and version, or the repository with the folder within it.
    """
    if match := _PACKAGE.fullmatch(source):
        return match[1]
    url, _, folder = source.partition("#subdirectory=")
    repository = re.split(r"[/:]", url.rstrip("/"))[-1].partition("@")[0].removesuffix(".git")
    return f"{repository}-{PurePosixPath(folder).name}" if folder else repository
