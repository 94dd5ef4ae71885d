"""Defines the options of commands that are clients of a server, and makes headers of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from ..errors import InputError
from ..home import open_home
from ..platform_client.connections import kept_token
from ..targets.base import Endpoint
from .options import running_target

# RFC 9110, section 5.6.2: a field's name is a token.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def caller_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --token and --header, as `token` and `headers`."""
    command = click.option(
        "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of every request; repeatable."
    )(command)
    return click.option("--token", help="A bearer token of the server's own; default: the one kept here.")(command)


@contextmanager
def reached(server: str) -> Iterator[Endpoint]:
    """Yields how the MCP server at a URL, or that of a project, is reached for as long as the block lasts."""
    if "://" not in server:
        with running_target().reached(server) as endpoint:
            yield endpoint
        return
    from ..clients.mcp_client import check_url

    url = check_url(server)
    yield Endpoint(url, url, has_token=False)


def headers_for(url: str, token: str | None, headers: Sequence[str]) -> dict[str, str]:
    """Returns the headers of every request to `url`.

    Raises InputError, which never contains a value, since that may be a secret.
    """
    given = dict(_header(text) for text in headers)
    if token is not None and (not token or not token.isascii() or not token.isprintable() or " " in token):
        raise InputError("--token has what no bearer token can", hint="one word of printable ASCII")
    chosen = token or kept_token(url, open_home())
    if chosen is None or (token is None and "authorization" in map(str.lower, given)):
        return given
    return {**given, "Authorization": f"Bearer {chosen}"}


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not separator or not _NAME.fullmatch(name):
        raise InputError("--header takes a name and a value", hint="--header 'X-API-Key: ...'")
    if not value.isascii() or not value.isprintable():
        raise InputError(f"--header {name} has a value that no header can carry", hint="printable ASCII, in one line")
    return name, value
