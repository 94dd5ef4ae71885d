"""Finds and resolves `${secrets.NAME}` in the variables of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from homeport_runtime.loading.environment import REFERENCE, fill

from ..config.project import Project
from ..errors import ConfigError


def referenced(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the secrets that these variables need, each with the first variable that does."""
    found: dict[str, str] = {}
    for variable, value in environment.items():
        for name in REFERENCE.findall(value):
            found.setdefault(name, variable)
    return found


def check_needed(project: Project, name: str | None, available: Iterable[str], options: str = "") -> str:
    """Returns the name of the project that the secrets belong to.

    Raises ConfigError if it has no name, or if a secret is needed that is not `available`; `options` are appended to
    the command that sets it.
    """
    origin = project.config_file.name if project.config_file else "--env"
    if name is None:
        secret, variable = next(iter(referenced(project.environment).items()))
        raise ConfigError(
            f"{origin}: {variable} needs the secret {secret}, and secrets belong to a project, which has no name yet",
            hint="name it with --name, or with name under [project] in fastmcp.toml",
        )
    check_set(project.environment, available, name, f"{origin}: ", options)
    return name


def check_set(
    environment: Mapping[str, str], available: Iterable[str], project: str, where: str = "", options: str = ""
) -> None:
    """Raises ConfigError if a secret is needed that is not `available`.

    `where` is put before the variable's name, `options` after the command that sets the secret.
    """
    known = set(available)
    for name, variable in referenced(environment).items():
        if name not in known:
            raise ConfigError(
                f"{where}{variable} needs the secret {name}, which is not set in {project}",
                hint=f"homeport set-secret {name} --project {project}{options}",
            )


def with_secret_values(
    project: Project, values: Mapping[str, str], store: Callable[[Mapping[str, str]], object]
) -> Project:
    """Returns the project with each of `values` as a secret, passed to `store`, and as a variable that refers to it."""
    needed = referenced(project.environment)
    secrets = {
        name: value for name, value in values.items() if value and (name in needed or name not in project.environment)
    }
    if secrets:
        store(secrets)
    taken = {name: f"${{secrets.{name}}}" if value else "" for name, value in values.items()}
    return replace(project, environment={**taken, **project.environment})


def resolve(environment: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables with the values of secrets in place; a value that looks like a reference is not resolved
    again.

    Raises ConfigError if a value is missing, as all are when no project is deployed (`homeport dev`).
    """
    for name, variable in referenced(environment).items():
        if name not in values:
            raise ConfigError(f"{variable} needs the secret {name}", hint=f"give its value: --env {variable}=VALUE")
    return fill(environment, values)
