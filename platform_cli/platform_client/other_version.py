"""What a person is told of a platform that is another homeport than the command."""

from __future__ import annotations

from collections.abc import Callable

from .. import __version__
from .client import PlatformClient
from .versions import same_version


def connect(client: PlatformClient, note: Callable[[str], None], *, changes: bool) -> None:
    """Has a platform run. One of an older homeport is replaced by what `changes` something alone: two versions that are
    used beside each other would start it anew with every look at it.
    """
    client.ensure_running(replaces=changes)
    note_other_version(client, note, replaced=changes)


def note_other_version(client: PlatformClient, note: Callable[[str], None], *, replaced: bool) -> None:
    """Tells the person of the version of the platform that was found, where it is another one."""
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
