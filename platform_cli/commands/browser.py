"""Opens a page in the person's browser, whose link lets in whoever has it."""

from __future__ import annotations

import html
import os
import sys
import webbrowser
from pathlib import Path

from ..home import write_atomic


def open_if_seen(link: str, file: Path) -> None:
    """Opens a link if somebody sits in front of this machine.

    It is in `file`, which only this user may read, since everybody may read a browser's arguments.
    """
    if not (sys.stdout.isatty() and _has_screen()):
        return
    page = f'<!doctype html><meta http-equiv="refresh" content="0;url={html.escape(link)}"><title>homeport</title>\n'
    write_atomic(file, page.encode())
    webbrowser.open(file.as_uri())


def _has_screen() -> bool:
    """Tells whether a browser would have a window here; one in the terminal has none."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
