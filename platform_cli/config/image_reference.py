"""Parses references of images, such as `ghcr.io/you/expenses:1.2` and `python:3.12-slim`."""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"

# https://github.com/distribution/reference/blob/main/reference.go
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_REGISTRY = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9]+(?:[.-]+[A-Za-z0-9]+)*)(?::[0-9]{1,5})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_REPOSITORY = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """Names an image by `tag`, or by `digest`, which takes precedence.

    `registry` is a host, with its port if it has one; `repository` is the image's name there.
    """

    registry: str
    repository: str
    tag: str
    digest: str | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    @property
    def name(self) -> str:
        """Returns the reference without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def host(self) -> str:
        """Returns the host, without port."""
        return self.registry.rpartition("]")[0][1:] or self.registry.partition(":")[0]


def parse_reference(text: str) -> Reference:
    """Returns the reference in `text`: without a registry it is Docker Hub's, without a tag `latest`.

    Raises ValueError for what is no reference.
    """
    name, at, digest = text.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, DEFAULT_TAG
    first, slash, rest = head.partition("/")
    if slash and (first == "localhost" or any(sign in first for sign in ".:[")):
        registry, repository = first, rest
    else:
        registry, repository = DOCKER_HUB, head if slash else f"library/{head}"
    sound = (
        _REGISTRY.fullmatch(registry)
        and _REPOSITORY.fullmatch(repository)
        and len(repository) <= _LONGEST_REPOSITORY
        and _TAG.fullmatch(tag)
        and (not at or DIGEST.fullmatch(digest))
    )
    if not sound:
        raise ValueError("must be an image, such as registry.example.com/you/server:1.0, in lower case")
    return Reference(registry, repository, tag, digest or None)
