"""Implements `homeport connect`."""

from __future__ import annotations

import json
from typing import cast

import click

from ..clients.config_file import write_server
from ..clients.formats import CLIENTS, Transport
from ..errors import InputError
from ..home import open_home
from ..platform_client.connections import kept_token
from ..target_table import target_argument
from .options import json_option, running_target, target_option
from .output import Output
from .sign_in import make_sign_in_link, sign_in_line


@click.command("connect")
@click.argument("name")
@click.option("--client", "client_name", type=click.Choice(list(CLIENTS)), required=True, help="The client to connect.")
@click.option("--write", is_flag=True, help="Merge it into the client's own file; the old one is kept beside it.")
@click.option(
    "--transport",
    type=click.Choice(["http", "sse"]),
    default="http",
    show_default=True,
    help="Streamable HTTP, or the older HTTP+SSE.",
)
@target_option
@json_option
def connect_command(name: str, client_name: str, write: bool, transport: str, as_json: bool) -> None:
    """Print the configuration that connects a client to project NAME, or write it into the client's file."""
    output = Output(as_json=as_json)
    client, chosen = CLIENTS[client_name], cast("Transport", transport)
    if write and chosen == "sse" and not client.reads_sse:
        raise InputError(
            f"{client.title} drops servers that have a URL from its file, so this form is only printed",
            hint="leave --transport sse out: then it connects through a program that it can start",
        )
    status = running_target().status(name)
    url = status["mcp_url" if chosen == "http" else "sse_url"]
    signs_in = status["auth"] == "oauth"
    # A client that has a token does not sign in.
    token = kept_token(url, open_home()) if not signs_in else None
    link = make_sign_in_link(status)
    if status["auth"] == "token" and token is None:
        argument = target_argument(status["target"])
        raise InputError(
            f"{name} wants a token, and this machine does not have it",
            hint=f"`homeport new-token {name}{argument}` makes a new one; the old one ends with that",
        )
    config = client.config(name, url, chosen, token)
    path = client.path()
    backup = write_server(path, client.section, name, config[client.section][name]) if write else None
    data = {
        "ok": True,
        "client": client_name,
        "path": str(path),
        "written": write,
        "backup": str(backup) if backup else None,
        "config": config,
    }
    if link is not None:
        data["sign_in_url"] = link
        output.note(sign_in_line(link))
    output.note(_advice(name, client_name, url, chosen, write, protected=token is not None))
    if write:
        text = f"{client.title} is connected to {name}: {path}" + (f"\nbefore: {backup}" if backup else "")
    else:
        text = json.dumps(config, indent=2, ensure_ascii=False)
    output.result(data, text)


def _advice(name: str, client_name: str, url: str, transport: Transport, written: bool, *, protected: bool) -> str:
    client = CLIENTS[client_name]
    if transport == "sse" and not client.reads_sse:
        return f"this form is for clients that read URLs; {client.title} drops such servers from {client.path()}"
    if written:
        return client.note
    command = f"\nor: claude mcp add --scope user --transport {transport} {name} {url}"
    if protected:
        command += ' --header "Authorization: Bearer ..."'
    return f"for {client.path()}; --write puts it there" + (command if client_name == "claude-code" else "")
