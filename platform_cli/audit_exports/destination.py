"""Reads the URL to which an export sends lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..api.audit_export import ExportKind
from ..errors import InputError

MAX_URL = 2000
# The port of syslog over TLS (RFC 5425, section 4.1).
SYSLOG_PORT = 6514
KINDS: dict[str, ExportKind] = {
    "syslog+tls": "syslog",
    "https": "webhook",
    "http": "webhook",
    "otlp+https": "otlp",
    "otlp+http": "otlp",
}
HINT = "syslog+tls://siem.example.com, https://example.com/hook, or otlp+https://collector.example.com/v1/logs"


@dataclass(frozen=True, slots=True)
class Destination:
    """Is where lines go: `url` is what is asked over HTTP, and for syslog nothing but its host and port."""

    kind: ExportKind
    host: str
    port: int
    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        """Returns where it leads, without what may be secret: path and query."""
        scheme = {"syslog": "syslog+tls", "webhook": "", "otlp": "otlp+"}[self.kind]
        parts = urlsplit(self.url)
        if self.kind == "syslog":
            return f"{scheme}://{parts.netloc}"
        return f"{scheme}{parts.scheme}://{parts.netloc}" + ("/…" if parts.path.strip("/") or parts.query else "")


def read_destination(text: str, *, private: bool) -> Destination:
    """Returns the destination of a URL; with `private` it may be one that others could read on the way.

    Raises InputError for a URL that leads nowhere, whose text is not repeated: it may be a secret.
    """
    try:
        parts = urlsplit(text)
        port, kind = parts.port, KINDS.get(parts.scheme)
    except ValueError:
        kind = None
    if kind is None or not parts.hostname or port == 0 or len(text) > MAX_URL or not re.fullmatch("[!-~]+", text):
        raise InputError("that is no URL to which audit logs can be sent", hint=HINT)
    if parts.username is not None or parts.password is not None:
        raise InputError("the URL has no user and password", hint="a collector's token goes into a --header")
    if parts.scheme in ("http", "otlp+http") and not private:
        raise InputError("others could read what goes to an http URL", hint="an https URL, or --private")
    if kind == "syslog":
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise InputError("a syslog receiver has a host and a port alone", hint=HINT)
        return Destination(kind, parts.hostname, port or SYSLOG_PORT, text)
    url = text.removeprefix("otlp+")
    return Destination(kind, parts.hostname, port or (443 if url.startswith("https") else 80), url)
