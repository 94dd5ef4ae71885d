"""Posts OTLP messages to a collector, and says of those that it did not take whether to try again."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .endpoints import Endpoint

if TYPE_CHECKING:
    import httpx

# What a collector answers if the same message may be taken later ("Retryable Response Codes").
RETRYABLE = (429, 502, 503, 504)
# The seconds after which a message is tried again: at first, and at most. A collector may ask for more, up to an hour.
FIRST_S, MOST_S, LONGEST_S = 1.0, 60.0, 3600.0
MAX_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """Says what became of a message.

    `rejected` of its items were not taken and never will be, None if that is all of them. With `error` the collector
    has said why, or could not be reached. If `retry_s` is not None, the same message is worth another try after so many
    seconds.
    """

    rejected: int | None = 0
    error: str | None = None
    retry_s: float | None = None

    @property
    def is_settled(self) -> bool:
        """Tells whether the message needs no other try: it was taken, or never will be."""
        return self.retry_s is None


class Sender:
    """Posts messages to one endpoint, one after the other, over a connection that it keeps."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext | None = None) -> None:
        self._endpoint = endpoint
        self._context = context
        self._http: httpx.AsyncClient | None = None
        self._failures = 0

    async def send(self, message: bytes) -> Outcome:
        """Posts a message in JSON, once, and returns what became of it; it never raises for what others do wrong."""
        import httpx

        headers = {"content-type": "application/json", "user-agent": "homeport", **self._endpoint.headers}
        if self._endpoint.is_compressed:
            message = await asyncio.to_thread(gzip.compress, message)
            headers["content-encoding"] = "gzip"
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                response = await self._client().post(self._endpoint.url, content=message, headers=headers)
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            # The message of an exception could have the URL in it, or a header.
            return self._again(type(error).__name__)
        if response.status_code in RETRYABLE:
            return self._again(f"HTTP {response.status_code}", response.headers.get("retry-after"))
        self._failures = 0
        if response.status_code // 100 != 2:
            return Outcome(rejected=None, error=f"HTTP {response.status_code}")
        return _taken(response.content)

    def _again(self, error: str, asked: str | None = None) -> Outcome:
        self._failures += 1
        seconds = min(FIRST_S * 2.0 ** min(self._failures - 1, 10), MOST_S)
        if asked is not None and asked.isdecimal():
            seconds = min(max(float(asked), seconds), LONGEST_S)
        return Outcome(error=error, retry_s=seconds)

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            import httpx

            self._http = httpx.AsyncClient(verify=self._context or True, timeout=self._endpoint.timeout_s)
        return self._http

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.aclose()


def _taken(answer: bytes) -> Outcome:
    """Returns the outcome of a message that was taken, of which some items may be rejected (`partialSuccess`)."""
    try:
        said = json.loads(answer[:MAX_ANSWER] or b"{}")
        partial = said.get("partialSuccess") or {}
        rejected = sum(int(partial.get(f"rejected{kind}", 0)) for kind in ("Spans", "DataPoints", "LogRecords"))
        error = partial.get("errorMessage")
    except (ValueError, TypeError, AttributeError):
        # A collector may answer in protobuf whatever it was sent.
        return Outcome()
    return Outcome(rejected=rejected, error=str(error)[:200] if error else None)
