"""Reads and writes the version of the project's secret that a release is pinned to, in its function's environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ARN = "HOMEPORT_SECRET_ARN"
VERSION = "HOMEPORT_SECRET_VERSION"
NAMES = "HOMEPORT_SECRET_NAMES"


@dataclass(frozen=True, slots=True)
class Pin:
    """Is the version of the secret that a release has.

    `names` are those of its values that the release needs. `version` is None in a CloudFormation stack, whose functions
    take the current version when they start, or when their snapshot is made.
    """

    arn: str
    version: str | None
    names: tuple[str, ...]

    @property
    def variables(self) -> dict[str, str]:
        version = {VERSION: self.version} if self.version else {}
        return {ARN: self.arn, **version, NAMES: ",".join(self.names)}


def read_pin(variables: Mapping[str, str]) -> Pin | None:
    """Returns the pin in a function's environment, None for a release without secrets."""
    if ARN not in variables:
        return None
    return Pin(variables[ARN], variables.get(VERSION), tuple(variables[NAMES].split(",")))
