"""Converts between ASGI and the events of Function URLs (payload format 2.0).

See https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from ...asgi import Headers, Scope

# These headers belong to the connection to Lambda and not to the answer, whose length is unknown when it starts.
HOP_HEADERS = (b"content-length", b"transfer-encoding", b"connection", b"keep-alive")
# An answer without a body gets one byte: clients of a Function URL that streams would wait for one for minutes (node
# RIC #95, aws-lambda-go #593). The statuses in NO_BODY have no body by definition (RFC 9110, section 6.4.1).
EMPTY = b"\n"
NO_BODY = (204, 304)


class NotARequest(Exception):
    """Says that an event does not come from a URL, but from the console's tests, a schedule or another service."""

    def __init__(self) -> None:
        super().__init__(
            "the event is no HTTP request in payload format 2.0, which function URLs and HTTP APIs send; an MCP server "
            "has no answer to others"
        )


def check_request(event: Any) -> None:
    """Raises NotARequest for an event that is no HTTP request."""
    context = event.get("requestContext") if isinstance(event, dict) else None
    http = context.get("http") if isinstance(context, dict) else None
    if not (
        isinstance(context, dict)
        and isinstance(http, dict)
        and all(isinstance(http.get(name), str) for name in ("method", "protocol", "sourceIp"))
        and all(isinstance(value, str) for value in (context.get("domainName"), event.get("rawPath")))
        and isinstance(event.get("headers", {}), dict)
    ):
        raise NotARequest


def read_request(event: Mapping[str, Any]) -> tuple[Scope, bytes]:
    """Returns the ASGI scope of the request in `event`, and its body."""
    context = event["requestContext"]
    http = context["http"]
    # Blanks around a value are not part of it (RFC 9110, section 5.5), and Lambda does not document whether it removes
    # them.
    headers: Headers = [
        (name.lower().encode("latin-1"), value.strip(" \t").encode("latin-1", "replace"))
        for name, value in event.get("headers", {}).items()
    ]
    if event.get("cookies"):
        headers.append((b"cookie", "; ".join(event["cookies"]).encode("latin-1", "replace")))
    body = event.get("body") or ""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": http["protocol"].partition("/")[2] or "1.1",
        "method": http["method"],
        "scheme": "https",
        "path": unquote(event["rawPath"]),
        "raw_path": event["rawPath"].encode("latin-1", "replace"),
        "root_path": "",
        "query_string": event.get("rawQueryString", "").encode("latin-1", "replace"),
        "headers": headers,
        "client": (http["sourceIp"], 0),
        "server": (context["domainName"], 443),
        "state": {},
    }
    return scope, base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def answer_fields(status: int, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """Returns status and headers in Lambda's form, in which repeated headers are joined, except cookies."""
    fields: dict[str, str] = {}
    cookies = []
    for raw_name, raw_value in headers:
        name, value = bytes(raw_name).lower(), bytes(raw_value).decode("latin-1")
        if name == b"set-cookie":
            cookies.append(value)
        elif name not in HOP_HEADERS:
            key = name.decode("latin-1")
            fields[key] = f"{fields[key]}, {value}" if key in fields else value
    return {"statusCode": status, "headers": fields, "cookies": cookies}
