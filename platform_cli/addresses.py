"""Parses the URLs that people type, and tells which of them never leave this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit


def read_http_url(text: str) -> SplitResult | None:
    """Returns the parts of an HTTP or HTTPS URL that has a host; None when `text` is no such URL, or its port is 0."""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if sound else None


def is_readable_on_the_way(url: SplitResult) -> bool:
    """Tells whether others could read what is sent to `url`, because it is plain HTTP to another machine."""
    return url.scheme == "http" and not is_loopback(url.hostname or "")


def is_loopback(host: str) -> bool:
    """Tells whether `host` is a loopback address, or a name that always leads to one (RFC 6761, section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
