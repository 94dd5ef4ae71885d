"""Decides which redirect URIs a client may register, and whether one that it sends is one of them."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
# Schemes whose URIs a browser runs, shows or fetches, instead of giving them to the client's program.
REFUSED = frozenset(
    {
        *("about", "blob", "chrome", "data", "file", "filesystem", "ftp", "intent", "jar", "javascript", "mailto"),
        *("resource", "tel", "vbscript", "view-source", "ws", "wss"),
    }
)
MAX_URI = 2000
_VISIBLE = re.compile(r"[\x21-\x7e]+")


def may_register(uri: object) -> bool:
    """Tells whether a client may have its users sent to `uri`.

    That is HTTPS, HTTP on this machine (RFC 8252, section 7.3), or a scheme of an app's own (section 7.1), which must
    have an authority, such as `cursor://...`, or be the reverse of a host name, such as `com.example.app:/...`.
    """
    if not isinstance(uri, str) or len(uri) > MAX_URI or not _VISIBLE.fullmatch(uri) or set(uri) & set('#\\<>"`'):
        return False
    parts = _split(uri)
    if parts is None or not (parts.hostname or "." in parts.scheme) or "@" in parts.netloc:
        return False
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK
    # Without a scheme it would lead to wherever the platform's own has: `//evil.example/`.
    return parts.scheme not in ("", *REFUSED)


def is_registered(uri: str, registered: tuple[str, ...]) -> bool:
    """Tells whether `uri` is one of those that the client has registered, to the letter.

    Only the port of a URI on this machine may differ, since native apps take any that is free (RFC 8252, section 7.3).
    The same goes for `localhost`, which Claude Code's document names without a port.
    """
    return may_register(uri) and (uri in registered or without_port(uri) in map(without_port, registered))


def without_port(uri: str) -> str:
    """Returns a redirect URI on this machine without its port, and any other as it is."""
    parts = _split(uri)
    if parts is None or parts.scheme != "http" or parts.hostname not in LOOPBACK:
        return uri
    host, separator, port = parts.netloc.rpartition(":")
    bare = host if separator and port.isdigit() else parts.netloc
    return uri.replace(f"//{parts.netloc}", f"//{bare}", 1)


def place_of(uri: str) -> str:
    """Returns where `uri` leads, as a person can compare it: its host, or the scheme of an app."""
    parts = _split(uri)
    if parts is None:
        return "?"
    return parts.netloc if parts.scheme in ("http", "https") else f"{parts.scheme}://{parts.netloc}"


def is_on_this_machine(uri: str) -> bool:
    parts = _split(uri)
    return parts is not None and parts.scheme == "http"


def _split(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts
