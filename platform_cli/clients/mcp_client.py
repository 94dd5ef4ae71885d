"""Lists and calls the tools at a URL as an MCP client; the `mcp` package is imported on the first use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from ..addresses import is_loopback, read_http_url
from ..errors import HomeportError, InputError, ServerError
from .tool_arguments import find_tool, typed_arguments

if TYPE_CHECKING:
    from mcp import Client
    from mcp.shared._httpx_utils import McpHttpClientFactory

T = TypeVar("T")
# The arguments are the progress, the total if it is known, and a message if there is one.
OnProgress = Callable[[float, float | None, str | None], None]


def check_url(text: str) -> str:
    """Returns the MCP endpoint that `text` names: a URL without a path gets /mcp.

    Raises InputError if it is no HTTP URL.
    """
    parts = read_http_url(text)
    if parts is None:
        raise InputError(f"{text!r} is not the URL of an MCP server", hint="for example http://127.0.0.1:8700/mcp")
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else "/mcp"))


def list_tools(url: str, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns the tools at `url` in the protocol's form; `headers` are sent with every request.

    Raises ServerError if the server cannot be reached, or answers with an error.
    """
    return _run(url, headers, _tools)


def call_tool(
    url: str, name: str, given: Mapping[str, str], on_progress: OnProgress, headers: Mapping[str, str]
) -> dict[str, Any]:
    """Calls a tool with the arguments as they were typed, and returns its result in the protocol's form.

    Raises InputError for an unknown tool or argument before anything is called, and ServerError if the server cannot be
    reached, or answers with an error.
    """

    async def work(client: Client) -> dict[str, Any]:
        arguments = typed_arguments(find_tool(await _tools(client), name), given)

        async def progress(done: float, total: float | None, message: str | None) -> None:
            on_progress(done, total, message)

        return _wire(await client.call_tool(name, arguments, progress_callback=progress))

    return _run(url, headers, work)


async def _tools(client: Client) -> list[dict[str, Any]]:
    tools: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [_wire(tool) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return tools


def _wire(value: Any) -> dict[str, Any]:
    written: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return written


def _run(url: str, headers: Mapping[str, str], work: Callable[[Client], Awaitable[T]]) -> T:
    # The library logs, with a traceback, the errors that it also raises.
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    logging.getLogger("mcp").propagate = False
    refusals: list[int] = []
    try:
        return asyncio.run(_connected(url, _client_factory(url, refusals), headers, work))
    except Exception as error:
        if HTTPStatus.UNAUTHORIZED not in refusals and (told := _told(url, error)) is not None:
            raise told from error
        raise _refused(url, refusals[-1]) if refusals else _explained(url, error) from error


def _client_factory(url: str, refusals: list[int]) -> McpHttpClientFactory:
    """Returns a factory of HTTP clients for `url`, which append the statuses 401 and 403 to `refusals`.

    The library's transport does not report these.
    """
    import httpx2
    from mcp.shared._httpx_utils import MCP_DEFAULT_SSE_READ_TIMEOUT, MCP_DEFAULT_TIMEOUT

    async def look(response: httpx2.Response) -> None:
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            refusals.append(response.status_code)

    def make(
        headers: dict[str, str] | None = None, timeout: httpx2.Timeout | None = None, auth: httpx2.Auth | None = None
    ) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            # A client with a transport of its own uses no proxy, and none leads to this machine's own loopback.
            transport=httpx2.AsyncHTTPTransport() if is_loopback(urlsplit(url).hostname or "") else None,
            headers=headers,
            timeout=timeout or httpx2.Timeout(MCP_DEFAULT_TIMEOUT, read=MCP_DEFAULT_SSE_READ_TIMEOUT),
            auth=auth,
            event_hooks={"response": [look]},
        )

    return make


async def _connected(
    url: str, connect: McpHttpClientFactory, headers: Mapping[str, str], work: Callable[[Client], Awaitable[T]]
) -> T:
    from mcp import Client
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client

    try:
        http = connect(headers=dict(headers))
    except (ValueError, ImportError) as error:
        raise ServerError(
            f"the proxy that the environment names cannot be used: {error}",
            hint="HTTP_PROXY, HTTPS_PROXY and ALL_PROXY take http://, https://, socks5:// and socks5h:// addresses",
        ) from error
    async with http:
        if urlsplit(url).path.endswith("/sse"):
            server = sse_client(url, headers=dict(headers), httpx_client_factory=connect)
        else:
            server = streamable_http_client(url, http_client=http)
        async with Client(server) as client:
            return await work(client)


def _explained(url: str, error: Exception) -> Exception:
    """Returns the failure as an error for the person; `error` itself when it is no expected one."""
    import httpx2
    from mcp import MCPError
    from pydantic import ValidationError

    # One failure is raised in several tasks; homeport's own error explains it best, then the transport's.
    causes = list(_leaves(error))
    for cause in causes:
        if isinstance(cause, HomeportError):
            return cause
    for cause in causes:
        if isinstance(cause, httpx2.HTTPStatusError):
            return _refused(url, cause.response.status_code)
        if isinstance(cause, httpx2.HTTPError | OSError):
            detail = str(cause) or type(cause).__name__
            return ServerError(f"{url} cannot be reached: {detail}", hint="check the address, and that it is running")
    for cause in causes:
        if isinstance(cause, MCPError):
            return ServerError(f"{url} answered with an error: {cause}", hint="check that this is an MCP endpoint")
        if isinstance(cause, ValidationError | RuntimeError):
            return ServerError(f"{url} does not answer as the protocol wants: {str(cause).splitlines()[0]}")
    return error


def _told(url: str, error: Exception) -> ServerError | None:
    """Returns what a platform says of a call that it refuses (homeport_runtime.guard.refusals), None if nothing."""
    from mcp import MCPError

    for cause in _leaves(error):
        data = cause.error.data if isinstance(cause, MCPError) else None
        if isinstance(data, dict) and isinstance(detail := data.get("detail"), str):
            after = data.get("retry_after_ms")
            hint = f"again in {after / 1000:.0f} s" if isinstance(after, int) and data.get("retryable") else None
            return ServerError(f"{url} refuses: {detail}", hint=hint)
    return None


def _refused(url: str, status: int) -> ServerError:
    """Returns the error for an HTTP status of the server."""
    if status == HTTPStatus.UNAUTHORIZED:
        return ServerError(
            f"{url} answered with HTTP 401: it wants to know who calls",
            hint="--token TOKEN sends the server's own token, --header 'NAME: VALUE' any other key; "
            "`homeport new-token NAME` makes a token for a project whose [auth] mode is token",
        )
    if status == HTTPStatus.FORBIDDEN:
        return ServerError(
            f"{url} answered with HTTP 403: whoever calls may not do this",
            hint="--token TOKEN or --header 'NAME: VALUE' with a key that may",
        )
    return ServerError(f"{url} answered with HTTP {status}", hint="check that this is an MCP endpoint")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _leaves(member)
    else:
        yield error
