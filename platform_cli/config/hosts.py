"""Reads the host names and origins under which a project may be called.

As everywhere in the schema, a reader returns what Project holds, or raises ValueError that says what was expected.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from .names import is_name

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# Top-level domains that are reserved for private use: RFC 6762, section 3; RFC 8375, section 3;
# ICANN's resolution 2024.07.29.06. The others are common names for what a router serves.
_PRIVATE = frozenset({"local", "arpa", "internal", "lan", "home", "localdomain"})
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@*]*")


def domains(value: object) -> tuple[str, ...]:
    """Reads host names and IP addresses, in lower case and without the brackets of IPv6 addresses.

    It also takes bare names and names with underscores, which RFC 1123, section 2.1 does not allow, since home networks
    and container engines have them.
    """
    hosts = tuple(_host(item) for item in _listed(value, "host names", "mcp.example.com"))
    if len(set(hosts)) < len(hosts):
        raise ValueError("has the same host name twice")
    return hosts


def origins(value: object) -> tuple[str, ...]:
    """Reads origins as browsers send them (RFC 6454, section 6.2), in lower case; "null" is the origin of a sandboxed
    page.

    A scheme that only apps have may stand without a host (`vscode-webview://`), since apps choose a new host at each
    start.
    """
    found = tuple(
        item.lower().removesuffix("/") if _is_web(item) else item.lower()
        for item in _listed(value, "origins", "https://app.example.com")
    )
    for origin in found:
        if origin != "null" and not _is_origin(origin):
            raise ValueError(f'has {origin!r}, which is not an origin such as "https://app.example.com"')
    return found


def is_public(host: str) -> bool:
    """Tells whether `host` can lead to one project only; all projects of a machine share the names of a private
    network.
    """
    return is_full_name(host) and host.rpartition(".")[2] not in _PRIVATE


def is_full_name(host: str) -> bool:
    """Tells whether `host` is a fully qualified host name (RFC 1123, section 2.1) in lower case."""
    labels = host.split(".")
    return len(labels) > 1 and len(host) <= 253 and all(map(is_name, labels)) and not labels[-1].isdigit()


def _listed(value: object, what: str, example: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f'must be a list of {what}: ["{example}"]')
    return value


def _host(text: str) -> str:
    host = text.lower()
    try:
        return str(ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host))
    except ValueError:
        labels = host.split(".")
        if len(host) > 253 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
            raise ValueError(f'has {host!r}, which is not a host name such as "mcp.example.com"') from None
        return host


def _is_web(origin: str) -> bool:
    return origin.lower().startswith(("http://", "https://"))


def _is_origin(text: str) -> bool:
    if not _ORIGIN.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.hostname) or not _is_web(text)
