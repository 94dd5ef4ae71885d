"""Defines the public domain of a platform, below which each project has a name of its own."""

from __future__ import annotations

from dataclasses import dataclass

from ..config.hosts import is_full_name
from ..errors import InputError

HTTPS = 443


@dataclass(frozen=True, slots=True)
class Domain:
    """Is the control plane's own host name and the parent of all projects' names; `port` is where HTTPS answers."""

    name: str
    port: int = HTTPS

    def __str__(self) -> str:
        return self.name if self.port == HTTPS else f"{self.name}:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self}"

    def host(self, project: str) -> str:
        return f"{project}.{self.name}"

    def project_url(self, project: str) -> str:
        return f"https://{project}.{self}"


def read_domain(text: str) -> Domain:
    """Parses `mcp.example.com`, or with a port `mcp.example.com:8443`.

    Raises InputError for anything else.
    """
    name, colon, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    name = name.lower()
    # A project's name is a label of up to 63 characters before it.
    if not is_full_name(name) or len(name) > 253 - 64 or (colon and not 0 < number < 65536):
        raise InputError(f"{text!r} is not a domain", hint="for example mcp.example.com, or mcp.example.com:8443")
    return Domain(name, number or HTTPS)
