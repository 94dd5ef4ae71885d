"""The CLI as an MCP client: lists and calls the tools at a URL. The `mcp` package is imported on the first use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from .errors import HomeportError, InputError, ServerError
from .tool_arguments import find_tool, typed_arguments

if TYPE_CHECKING:
    from mcp import Client

T = TypeVar("T")
# progress, total if known, message if there is one
OnProgress = Callable[[float, float | None, str | None], None]


def check_url(text: str) -> str:
    """The MCP endpoint that `text` names: a URL without a path gets /mcp. Raises InputError if it is no HTTP URL."""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"{text!r} is not the URL of an MCP server", hint="for example http://127.0.0.1:8700/mcp")
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else "/mcp"))


def list_tools(url: str, token: str | None = None) -> list[dict[str, Any]]:
    """The tools at `url`, as the protocol writes them. Raises ServerError."""
    return _run(url, token, _tools)


def call_tool(
    url: str, name: str, given: Mapping[str, str], on_progress: OnProgress, token: str | None = None
) -> dict[str, Any]:
    """The result of a call, as the protocol writes it; `given` are the arguments as they were typed.

    Raises InputError for an unknown tool or argument, before anything is called, and ServerError.
    """

    async def work(client: Client) -> dict[str, Any]:
        arguments = typed_arguments(find_tool(await _tools(client), name), given)

        async def progress(done: float, total: float | None, message: str | None) -> None:
            on_progress(done, total, message)

        return _wire(await client.call_tool(name, arguments, progress_callback=progress))

    return _run(url, token, work)


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


def _run(url: str, token: str | None, work: Callable[[Client], Awaitable[T]]) -> T:
    # The library logs what it also raises, with a traceback.
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    logging.getLogger("mcp").propagate = False
    try:
        return asyncio.run(_connected(url, token, work))
    except Exception as error:
        raise _explained(url, error) from error


async def _connected(url: str, token: str | None, work: Callable[[Client], Awaitable[T]]) -> T:
    from mcp import Client
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with create_mcp_http_client(headers=headers) as http:
        sse = urlsplit(url).path.endswith("/sse")
        server = sse_client(url, headers=headers) if sse else streamable_http_client(url, http_client=http)
        async with Client(server) as client:
            return await work(client)


def _explained(url: str, error: Exception) -> Exception:
    """The same failure for the person; `error` itself when it is no expected one."""
    import httpx2
    from mcp import MCPError
    from pydantic import ValidationError

    # One failure reaches us from several tasks; what homeport itself raised says it best, the transport's word is next.
    causes = list(_leaves(error))
    for cause in causes:
        if isinstance(cause, HomeportError):
            return cause
    for cause in causes:
        if isinstance(cause, httpx2.HTTPStatusError):
            status = cause.response.status_code
            hint = "check that this is an MCP endpoint"
            if status == 401:
                hint = "it wants a token: `homeport new-token NAME` makes one for a project and keeps it here"
            return ServerError(f"{url} answered with HTTP {status}", hint=hint)
        if isinstance(cause, httpx2.HTTPError | OSError):
            detail = str(cause) or type(cause).__name__
            return ServerError(f"{url} cannot be reached: {detail}", hint="check the address, and that it is running")
    for cause in causes:
        if isinstance(cause, MCPError):
            return ServerError(f"{url} answered with an error: {cause}", hint="check that this is an MCP endpoint")
        if isinstance(cause, ValidationError | RuntimeError):
            return ServerError(f"{url} does not answer as the protocol wants: {str(cause).splitlines()[0]}")
    return error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _leaves(member)
    else:
        yield error
