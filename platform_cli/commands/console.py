"""Implements `homeport console`."""

from __future__ import annotations

import html
import os
import sys
import webbrowser

import click

from ..home import Home, open_home, write_atomic
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
    if not as_json and sys.stdout.isatty() and _has_screen():
        _open(link, open_home())
    text = f"{link}\nonce, within {made['expires_in'] // 60} minutes"
    Output(as_json=as_json).result({"ok": True, "url": link, "expires_in": made["expires_in"]}, text)


def _open(link: str, home: Home) -> None:
    """Opens the link by a file that only this user may read, since everybody may read a browser's arguments."""
    file = home.root / "console.html"
    page = f'<!doctype html><meta http-equiv="refresh" content="0;url={html.escape(link)}"><title>homeport</title>\n'
    write_atomic(file, page.encode())
    webbrowser.open(file.as_uri())


def _has_screen() -> bool:
    """Tells whether a browser would have a window here; one in the terminal has none."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
