"""Implements `homeport inspect`."""

from __future__ import annotations

import contextlib
import signal

import click

from ..errors import InputError
from ..temporary import temporary_folder
from .browser import open_if_seen
from .callers import caller_options, headers_for, reached
from .options import json_option, target_option
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
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(reached(server))
        given = headers_for(endpoint.name, token, headers)
        if endpoint.has_token and "authorization" not in map(str.lower, given):
            raise InputError(
                f"{server} wants a token, and this machine does not have it",
                hint="--token TOKEN takes one; `homeport token create NAME --client inspector` makes one, "
                "on Kubernetes `homeport new-token NAME`",
            )
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Then the Inspector ends as with Ctrl-C, which it else would not do with the terminal.
            signal.signal(number, signal.default_int_handler)
        npx = find_npx()
        output.note("npx starts the MCP Inspector, and fetches it the first time ...")
        folder = stack.enter_context(temporary_folder("inspector"))
        inspector = stack.enter_context(running_inspector(npx, endpoint.url, given, folder))
        text = f"{inspector.link}\nwhoever has this link can use the Inspector; Ctrl-C ends it"
        output.result({"ok": True, "url": endpoint.name, "inspector": inspector.link}, text)
        if not as_json:
            open_if_seen(inspector.link, folder / "inspector.html")
        with contextlib.suppress(KeyboardInterrupt):
            inspector.wait()
