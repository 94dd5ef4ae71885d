"""Reads the values of fastmcp.toml's keys.

A reader takes the parsed value and returns what Project holds, or raises ValueError that says what was expected.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from . import names
from .paths import CONTROL
from .project import Entrypoint, Program

if TYPE_CHECKING:
    from .image_reference import Reference

# ruff: noqa: TRY004 - a reader raises ValueError only


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def text(value: object) -> str:
    if not isinstance(value, str) or CONTROL.search(value):
        raise ValueError("must be text in quotes, without control characters")
    return value


def whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return read


def seconds(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return float(value)

    return read


def processors(low: float, high: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"must be a number of processors from {low:g} to {high:g}")
        return float(value)

    return read


def project_name(value: object) -> str:
    if not isinstance(value, str) or not names.is_name(value):
        proposal = isinstance(value, str) and names.suggestion(value)
        raise ValueError(f"must be {names.RULE}" + (f", {proposal}" if proposal else ""))
    return value


_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?")


def entrypoint(value: object) -> Entrypoint | Program | str:
    """Reads `file.py`, `file.py:object`, `module:function`, or the name of a console script or a module.

    It does not check whether any of them exists.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError('must be a server file, "server.py" or "server.py:object"')
    target, colon, name = value.rpartition(":")
    is_file = (target if colon else value).endswith(".py") or "/" in value
    if not colon:
        return value if not is_file and _NAME.fullmatch(value) else Entrypoint(value)
    if not target or not name.isidentifier():
        raise ValueError('must be "server.py" or "server.py:object", where object is a name in that file')
    dotted = all(part.isidentifier() for part in target.split("."))
    return Program(target, name) if dotted and not is_file else Entrypoint(target, name)


def runs(entrypoint: Entrypoint | Program | str | None) -> dict[str, Any]:
    """Returns the fields of Project that an entry point decides."""
    match entrypoint:
        case Program():
            return {"entrypoint": None, "program": entrypoint}
        case str():
            return {"entrypoint": None, "script": entrypoint}
        case _:
            return {"entrypoint": entrypoint}


def args(value: object) -> tuple[str, ...]:
    """Reads arguments, each of them a word; text is split as a POSIX shell would."""
    return command(["program", *([] if value == [] else command(value))])[1:]


def command(value: object) -> tuple[str, ...]:
    """Reads a program and its arguments; text is split as a POSIX shell would, a list is taken as it is."""
    if isinstance(value, str):
        try:
            words: list[Any] = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"cannot be split into words: {str(error).lower()}") from None
    else:
        words = value if isinstance(value, list) else []
    if not words or not all(isinstance(word, str) and "\0" not in word for word in words) or not words[0]:
        raise ValueError("must be a command as text, or a list of its words")
    return tuple(words)


def python_version(value: object) -> str:
    """Reads a version (`3.11`, `3.11.7`) or a version specifier (PEP 440, `>=3.11,<3.14`); the runtime needs 3.10 or
    newer.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError('must be in quotes, since 3.10 without them is 3.1: "3.10"')
    wanted = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"\d{1,3}\.\d{1,3}(\.\d{1,3})?", wanted, re.ASCII):
        if tuple(map(int, wanted.split("."))) < (3, 10):
            raise ValueError("must be Python 3.10 or newer")
        return wanted
    try:
        SpecifierSet(wanted)
    except InvalidSpecifier:
        wanted = ""
    if not wanted:
        raise ValueError('must be a version such as "3.11" or a specifier such as ">=3.11"')
    return wanted


def requirements(value: object) -> str:
    """Reads the path of a requirements file, without checking whether it exists."""
    known = "a requirements.txt, a pyproject.toml or a uv.lock"
    if not isinstance(value, str):
        raise ValueError(f"must name {known}")
    path = PurePosixPath(value)
    if path.suffix not in {".txt", ".in"} and path.name not in {"pyproject.toml", "uv.lock"}:
        raise ValueError(f"must name {known}")
    return value


def one_of(*words: str | int) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        if isinstance(value, bool) or value not in words:
            named = [f'"{word}"' if isinstance(word, str) else str(word) for word in words]
            raise ValueError(f"must be {', '.join(named[:-1])} or {named[-1]}")
        return value

    return read


def region(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-\d", value):
        raise ValueError('must be a region of AWS, such as "eu-central-1"')
    return value


def image(value: object) -> Reference:
    if not isinstance(value, str):
        raise ValueError('must be an image, such as "python:3.12-slim"')
    # Imported late, since few projects have it.
    from .image_reference import parse_reference

    return parse_reference(value)


def repository(value: object) -> Reference:
    """Reads the name of an image without its tag, which each release has its own of."""
    found = image(value)
    if found.digest or found.name.rpartition("/")[2] != str(value).rpartition("/")[2]:
        raise ValueError("must be an image without tag and digest: each release gets its own")
    return found


def label(value: object) -> str:
    if not isinstance(value, str) or not names.is_name(value):
        raise ValueError(f"must be {names.RULE}")
    return value


def texts(what: str, example: str) -> Callable[[object], tuple[str, ...]]:
    """Returns a reader of a list of texts; `what` they are appears in its error."""

    def read(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) and not CONTROL.search(item) for item in value):
            raise ValueError(f"must be a list of {what}: {example}")
        return tuple(value)

    return read


def users(value: object) -> dict[str, tuple[str, ...]]:
    """Reads the scopes of users by name or pattern."""
    if not isinstance(value, dict):
        raise ValueError('must be a table: "alice@company.com" = ["*"]')
    for name, scopes in value.items():
        if not name or CONTROL.search(name):
            raise ValueError("has a user without a name, or one with control characters")
        if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            raise ValueError(f'has no list of scopes for "{name}": ["*"] are all')
    return {name: tuple(scopes) for name, scopes in value.items()}


def included(value: object) -> tuple[str, ...]:
    """Reads paths below the project folder, without checking whether they exist."""
    paths = tuple(posixpath.normpath(item) for item in texts("paths", '["data", "model.bin"]')(value))
    for path in paths:
        if path.startswith(("/", "../")) or path in (".", ".."):
            raise ValueError(f"has {path!r}, which is not a path below the project folder")
    return paths
