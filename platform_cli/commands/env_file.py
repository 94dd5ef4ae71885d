"""Reads a .env file of the command line, whose values become secrets, never variables in a manifest."""

from __future__ import annotations

from pathlib import Path

from ..config.environment import check_variable
from ..errors import InputError
from ..secrets.base import check_secret
from ..secrets.dotenv import parse_dotenv


def read_env_file(path: Path) -> dict[str, str]:
    """Returns the file's values by name.

    Raises InputError, which never has a value in it, if the file cannot be read or sets nothing.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text") from None
    values = parse_dotenv(text, str(path))
    if not values:
        raise InputError(f"{path} sets nothing", hint="lines are KEY=VALUE")
    return values


def check_env_file(path: Path) -> dict[str, str]:
    """Returns the values as `read_env_file` does, for variables of a server.

    Raises InputError for what cannot be one.
    """
    values = read_env_file(path)
    for name, value in values.items():
        try:
            check_variable(name, "")
        except ValueError as error:
            raise InputError(f"{path}: {name} {error}", hint=f"leave it out of {path.name}") from None
        if value:
            check_secret(name, value)
    return values
