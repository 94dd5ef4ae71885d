"""Addresses that somebody typed, and which of them never leave this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def read_http_url(text: str) -> SplitResult | None:
    """The parts of an HTTP URL with a host; None for everything else. A port is one that can be connected to."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if sound else None


def is_readable_on_the_way(url: SplitResult) -> bool:
    """Whether everybody between here and there can read what is sent: plain HTTP to another machine."""
    return url.scheme == "http" and not is_loopback(url.hostname or "")


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
