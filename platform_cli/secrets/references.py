"""`${secrets.NAME}` in the variables of a server: which there are, and what they become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homeport_runtime.environment import REFERENCE, fill

from ..errors import ConfigError


def referenced(environment: Mapping[str, str]) -> dict[str, str]:
    """The secrets that these variables need, each with the first variable that does."""
    found: dict[str, str] = {}
    for variable, value in environment.items():
        for name in REFERENCE.findall(value):
            found.setdefault(name, variable)
    return found


def check_set(environment: Mapping[str, str], available: Iterable[str], project: str, where: str = "") -> None:
    """Raises ConfigError if a secret is needed that is not `available`. `where` stands before the variable's name."""
    known = set(available)
    for name, variable in referenced(environment).items():
        if name not in known:
            raise ConfigError(
                f"{where}{variable} needs the secret {name}, which is not set in {project}",
                hint=f"homeport set-secret {name} --project {project}",
            )


def resolve(environment: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """The variables with the values in place. What looks like a reference inside a value is left alone.

    Raises ConfigError where a value is missing, as all are when no project is deployed (`homeport dev`).
    """
    for name, variable in referenced(environment).items():
        if name not in values:
            raise ConfigError(f"{variable} needs the secret {name}", hint=f"give its value: --env {variable}=VALUE")
    return fill(environment, values)
