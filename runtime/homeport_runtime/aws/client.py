"""Calls an AWS service over its JSON protocol (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html)."""

from __future__ import annotations

import datetime
import http.client
import json
import os
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from .credentials import CredentialProvider
from .errors import NOT_REACHABLE, AWSError
from .signing import signed_headers

TIMEOUT_S = 10.0
ATTEMPTS = 6
# The longest wait, in seconds, before the first repeat; each further limit is twice the one before, and the wait is
# random (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
BACKOFF_S = 0.05
LONGEST_BACKOFF_S = 2.0
THROTTLED = frozenset(
    ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "Throttling")
)


@dataclass(frozen=True)
class Service:
    """Names an AWS service.

    `name` is the one in host names and signatures, `target` the prefix of X-Amz-Target, `version` that of the protocol,
    `variable` the end of AWS_ENDPOINT_URL_....
    """

    name: str
    target: str
    version: str
    variable: str


SECRETS_MANAGER = Service("secretsmanager", "secretsmanager", "1.1", "SECRETS_MANAGER")
DYNAMODB = Service("dynamodb", "DynamoDB_20120810", "1.0", "DYNAMODB")


class Client:
    """Calls one service from any number of threads, and keeps connections for further calls."""

    def __init__(self, service: Service, region: str | None = None, environment: Mapping[str, str] | None = None):
        environment = os.environ if environment is None else environment
        self._service = service
        self._region = region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
        if not self._region:
            raise AWSError("NoRegion", "AWS_REGION is not set")
        self._url = (
            environment.get(f"AWS_ENDPOINT_URL_{service.variable}")
            or environment.get("AWS_ENDPOINT_URL")
            or f"https://{service.name}.{self._region}.amazonaws.com{'.cn' * self._region.startswith('cn-')}"
        ).rstrip("/")
        self._credentials = CredentialProvider(environment)
        self._idle: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the result of an operation.

        Failures that may be temporary (throttling, 5xx, no answer) are retried, so an operation that is not idempotent
        needs a condition. Raises AWSError for every other failure, and after the last attempt.
        """
        body = json.dumps(arguments, separators=(",", ":")).encode()
        for attempt in range(ATTEMPTS):
            try:
                status, answer = self._send(operation, body)
            except (OSError, http.client.HTTPException) as problem:
                # Raised from None, since a connection's error may have the request in its frames.
                error, again = AWSError(NOT_REACHABLE, f"{self._service.name} ({type(problem).__name__})"), True
            else:
                if status == 200:
                    return answer
                error = _error(operation, status, answer)
                again = status >= 500 or error.code in THROTTLED
            if not again or attempt == ATTEMPTS - 1:
                raise error from None
            time.sleep(random.uniform(0, min(BACKOFF_S * 2**attempt, LONGEST_BACKOFF_S)))  # noqa: S311 - no secret
        raise AssertionError

    def close(self) -> None:
        """Closes the idle connections."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def _send(self, operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = signed_headers(
            "POST",
            f"{self._url}/",
            {
                "Content-Type": f"application/x-amz-json-{self._service.version}",
                "X-Amz-Target": f"{self._service.target}.{operation}",
            },
            body,
            credentials=self._credentials.get(),
            region=self._region,
            service=self._service.name,
            now=datetime.datetime.now(datetime.timezone.utc),
        )
        connection, kept = self._connection()
        try:
            try:
                response = _exchange(connection, self._path, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError):
                # The other side may have closed a kept connection; a new one shows whether it can be reached.
                connection.close()
                if not kept:
                    raise
                connection = self._connect()
                response = _exchange(connection, self._path, body, headers)
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        if not response.will_close:
            self._idle.put(connection)
        try:
            decoded = json.loads(answer) if answer else {}
        except ValueError:
            decoded = {}
        return response.status, decoded if isinstance(decoded, dict) else {}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Returns one context for all connections, since reading the certificates takes longer than a call."""
        return ssl.create_default_context()

    @property
    def _path(self) -> str:
        return urlsplit(self._url).path + "/"

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        try:
            return self._idle.get_nowait(), True
        except Empty:
            return self._connect(), False

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=self._tls)
        return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)


def _exchange(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    connection.request("POST", path, body, headers)
    return connection.getresponse()


def _error(operation: str, status: int, answer: Mapping[str, Any]) -> AWSError:
    """Returns an error with AWS's code only, since its message may quote what was sent."""
    code = str(answer.get("__type") or f"HTTP {status}").rpartition("#")[2].partition(":")[0]
    return AWSError(code, operation)
