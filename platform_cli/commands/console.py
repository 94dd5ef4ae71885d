"""Implements `homeport console`."""

from __future__ import annotations

import click

from ..home import open_home
from .browser import open_if_seen
from .options import json_option, platform_client, running
from .output import Output


@click.command("console")
@json_option
def console_command(as_json: bool) -> None:
    """Open the console in the browser: what projects do, their logs, releases and errors.

    Prints a link that opens it once, within five minutes.
    """
    client = running(platform_client(), changes=True)
    made = client.console_code()
    base = f"{client.remote.url}/console" if client.remote is not None else made["url"]
    link = f"{base}#login={made['code']}"
    if not as_json:
        open_if_seen(link, open_home().root / "console.html")
    text = f"{link}\nonce, within {made['expires_in'] // 60} minutes"
    Output(as_json=as_json).result({"ok": True, "url": link, "expires_in": made["expires_in"]}, text)
