"""Reads the published versions of a project's function: those that are releases, and those published by hand."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from homeport_runtime.guard.access import CLIENT_TOKENS
from homeport_runtime.hosts.aws_lambda.access import ISSUER, STATE_SECRET

from ...config.project import Network
from .client import AWS
from .pins import Pin, read_pin

# The reason of a release that a CloudFormation stack has made (template.py).
STACK = "stack"
DESCRIPTION = re.compile(r"v(\d+) ([0-9a-f]{32}) (.+)", re.ASCII)


def layers_of(configuration: Mapping[str, Any]) -> list[str]:
    return [layer["Arn"] for layer in configuration.get("Layers", ())]


@dataclass(frozen=True, slots=True)
class Version:
    """Is a published version that is a release; its description is `v3 IDENTITY REASON`."""

    number: str
    release: int
    identity: str
    reason: str
    configuration: Mapping[str, Any]

    @property
    def variables(self) -> Mapping[str, str]:
        environment: Mapping[str, str] = self.configuration.get("Environment", {}).get("Variables", {})
        return environment

    @property
    def token_hash(self) -> str | None:
        """Returns the hash of the project's token, without that of the deploy's own."""
        return self.variables.get("HOMEPORT_TOKEN_HASH", "").split(",")[0] or None

    @property
    def clients(self) -> str:
        """Returns the client tokens as the function has them, empty without any."""
        return self.variables.get(CLIENT_TOKENS, "")

    @property
    def auth(self) -> Literal["none", "token", "oauth"]:
        """Returns what callers need, as fastmcp.toml names it."""
        if self.token_hash is None:
            return "none"
        return "oauth" if self.variables.get(ISSUER) else "token"

    @property
    def state_secret(self) -> str | None:
        return self.variables.get(STATE_SECRET)

    @property
    def pin(self) -> Pin | None:
        return read_pin(self.variables)

    @property
    def layers(self) -> list[str]:
        return layers_of(self.configuration)

    @property
    def network(self) -> Network | None:
        found = self.configuration.get("VpcConfig", {})
        return Network(tuple(found["SubnetIds"]), tuple(found["SecurityGroupIds"])) if found.get("SubnetIds") else None

    @property
    def made_at(self) -> float:
        """Returns its time in seconds since 1970."""
        return calendar.timegm(time.strptime(self.configuration["LastModified"][:19], "%Y-%m-%dT%H:%M:%S"))


@dataclass(frozen=True, slots=True)
class HandMade:
    """Is a version that is no release: somebody has published it by hand, or changed its description."""

    number: str
    description: str
    layers: tuple[str, ...]


def read_versions(aws: AWS, name: str) -> tuple[tuple[Version, ...], tuple[HandMade, ...]]:
    """Returns the releases and the other versions of function `name`, both oldest first."""
    pages = aws.functions.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    published = [one for page in pages for one in page["Versions"] if one["Version"] != "$LATEST"]
    found = [_read(one) for one in sorted(published, key=lambda one: int(one["Version"]))]
    return (
        tuple(one for one in found if isinstance(one, Version)),
        tuple(one for one in found if isinstance(one, HandMade)),
    )


def _read(configuration: Mapping[str, Any]) -> Version | HandMade:
    number, description = configuration["Version"], configuration.get("Description", "")
    match = DESCRIPTION.fullmatch(description)
    if match is None:
        return HandMade(number, description, tuple(layers_of(configuration)))
    # The hash of its token follows, so that another token makes another version.
    reason = STACK if match[3].startswith(STACK) else match[3]
    return Version(number, int(match[1]), match[2], reason, configuration)
