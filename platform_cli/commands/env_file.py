"""A .env file on the command line: its values become secrets, never variables in a manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ..config.environment import check_variable
from ..config.project import Project
from ..errors import InputError
from ..secrets.base import check_secret
from ..secrets.dotenv import parse_dotenv
from ..secrets.references import referenced


def read_env_file(path: Path) -> dict[str, str]:
    """Its values by name. Raises InputError, which never has a value in it."""
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
    """As `read_env_file`, for variables of a server. Raises InputError for what cannot be one."""
    values = read_env_file(path)
    for name, value in values.items():
        try:
            check_variable(name, "")
        except ValueError as error:
            raise InputError(f"{path}: {name} {error}", hint=f"leave it out of {path.name}") from None
        if value:
            check_secret(name, value)
    return values


def with_env_file(
    project: Project, values: Mapping[str, str], store: Callable[[str, Mapping[str, str]], object]
) -> Project:
    """The named project with each of `values` as a secret, handed to `store`, and as a variable that refers to it.

    An empty value is no secret, so it is an empty variable. What --env and [environment] say of a name stays.
    """
    needed = referenced(project.environment)
    secrets = {
        name: value for name, value in values.items() if value and (name in needed or name not in project.environment)
    }
    if secrets:
        store(project.name or "", secrets)
    taken = {name: f"${{secrets.{name}}}" if value else "" for name, value in values.items()}
    return replace(project, environment={**taken, **project.environment})
