"""Implements `homeport inspect`."""

from __future__ import annotations

import contextlib
import signal

import click

from ..errors import InputError
from ..temporary import temporary_folder
from .browser import open_if_seen
from .callers import caller_options, headers_for
from .options import json_option, running_target, target_option
from .output import Output


@click.command("inspect")
@click.argument("server", metavar="NAME|URL")
@caller_options
@target_option
@json_option
def inspect_command(server: str, token: str | None, headers: tuple[str, ...], as_json: bool) -> None:
    """Run the MCP Inspector on project NAME, or on the MCP server at URL, until Ctrl-C.

    It comes from npm and needs Node.js. It gets in as `homeport call` does, with the token that is kept here.
    """
    from ..clients.mcp_inspector import find_npx, running_inspector

    output = Output(as_json=as_json)
    url, wants_token = _found(server)
    given = headers_for(url, token, headers)
    if wants_token and "authorization" not in map(str.lower, given):
        raise InputError(
            f"{server} wants a token, and this machine does not have it",
            hint="--token TOKEN takes one; `homeport token create NAME --client inspector` makes one",
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Then the Inspector ends as with Ctrl-C, which it else would not do with the terminal.
        signal.signal(number, signal.default_int_handler)
    npx = find_npx()
    output.note("npx starts the MCP Inspector, and fetches it the first time ...")
    with temporary_folder("inspector") as folder, running_inspector(npx, url, given, folder) as inspector:
        text = f"{inspector.link}\nwhoever has this link can use the Inspector; Ctrl-C ends it"
        output.result({"ok": True, "url": url, "inspector": inspector.link}, text)
        if not as_json:
            open_if_seen(inspector.link, folder / "inspector.html")
        with contextlib.suppress(KeyboardInterrupt):
            inspector.wait()


def _found(server: str) -> tuple[str, bool]:
    """Returns the URL of a server, and whether it is known to let in nobody without a token."""
    if "://" in server:
        from ..clients.mcp_client import check_url

        return check_url(server), False
    target = running_target()
    return target.mcp_url(server), target.status(server)["auth"] == "token"
