"""Lets one action of AWS fail for commands in this process: refused, answered too late, or answered by a proxy."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from platform_cli.targets.aws_lambda.client import AWS

# Their errors are XML.
XML = ("iam", "sts", "s3", "cloudfront", "ec2")
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
# So many attempts are refused, fewer than botocore makes.
REFUSED = 2


class Faulty:
    """Holds `aws` for commands. While it is `failing`, what a fault answers to one action comes instead of AWS's
    answer; `actions` are those that were asked for, in their order and each once.
    """

    def __init__(self) -> None:
        self.aws = AWS(None)
        self.actions: list[str] = []
        self._failing: tuple[str, Fault] | None = None
        self._attempts = 0
        self.aws._session.events.register("before-send", self._send)

    @contextmanager
    def failing(self, action: str, fault: Fault) -> Iterator[None]:
        self._failing, self._attempts = (action, fault), 0
        try:
            yield
        finally:
            self._failing = None

    def _send(self, request: Any, event_name: str, **_more: object) -> AWSResponse | None:
        _, service, operation = event_name.split(".")
        action = f"{service}:{operation}"
        if action not in self.actions:
            self.actions.append(action)
        if self._failing is None or self._failing[0] != action:
            return None
        self._attempts += 1
        return self._failing[1](request, action, self._attempts)


# Gets the request, its action, and which attempt it is; None lets it go to AWS.
Fault = Callable[[Any, str, int], AWSResponse | None]


def denied(_request: Any, action: str, _attempt: int) -> AWSResponse:
    message = f"User: somebody is not authorized to perform: {action}"
    error: Any = {"Error": {"Code": "AccessDenied", "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    raise ClientError(error, action.rpartition(":")[2])


def throttled(request: Any, action: str, attempt: int) -> AWSResponse | None:
    if attempt > REFUSED:
        return None
    if action.partition(":")[0] in XML:
        return _answer(request, 429, b"<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>")
    return _answer(request, 429, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}')


def slow(request: Any, _action: str, attempt: int) -> AWSResponse | None:
    """Lets AWS do what it is asked for, and its answer come too late."""
    if attempt > 1:
        return None
    URLLib3Session().send(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def html(request: Any, _action: str, _attempt: int) -> AWSResponse:
    return _answer(request, 502, HTML, "text/html")


def _answer(request: Any, status: int, body: bytes, media_type: str = "application/json") -> AWSResponse:
    return AWSResponse(request.url, status, {"Content-Type": media_type}, _Raw(body))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


FAULTS = {fault.__name__: fault for fault in (denied, throttled, slow, html)}
