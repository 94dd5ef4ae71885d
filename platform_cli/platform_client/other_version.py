"""Tells the person if a platform has another version of homeport than the command."""

from __future__ import annotations

from collections.abc import Callable

from .. import __version__
from .client import PlatformClient
from .versions import same_version


def connect(client: PlatformClient, note: Callable[[str], None], *, changes: bool) -> None:
    """Makes sure that a platform runs; only commands that make `changes` replace one of an older version.

    Otherwise two versions that are used beside each other would restart it with every command.
    """
    client.ensure_running(replaces=changes)
    note_other_version(client, note, replaced=changes)


def note_other_version(client: PlatformClient, note: Callable[[str], None], *, replaced: bool) -> None:
    """Notes the version of the platform if it is another one."""
    other = client.other_version
    if other is None:
        return
    if client.remote is not None:
        difference = f"the platform at {client.remote.url} is homeport {other}, this command is {__version__}"
        text = f"{difference}: {same_version(other)}"
    elif replaced:
        text = f"the platform was homeport {other} and is started anew as {__version__}"
    else:
        text = (
            f"the platform is homeport {other}, this command is {__version__}: `homeport platform start`, or the next"
            " command that changes something, starts it anew"
        )
    note(text)
