"""Implements `homeport new-token`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ..home import Home, open_home
from ..platform_client.connections import keep_token
from ..targets.base import KeepToken
from .options import json_option, running_target, target_option
from .output import Output

if TYPE_CHECKING:
    from ..api.status import DeployedStatus, StatusWithToken


@click.command("new-token")
@click.argument("name")
@target_option
@json_option
def new_token_command(name: str, as_json: bool) -> None:
    """Give project NAME a new bearer token and print it; the one before it is worth nothing any more."""
    status = running_target(changes=True).renew_token(name)
    keep_project_token(status, open_home())
    text = f"{status['token']}\nshown once; `homeport connect {name}` puts it into a client's configuration"
    Output(as_json=as_json).result({"ok": True, "project": name, "url": status["url"], "token": status["token"]}, text)


@contextmanager
def kept_token_shown(output: Output) -> Iterator[KeepToken]:
    """Yields the function that keeps a new token on this machine, and shows the token if anything fails afterwards.

    It lets callers in, and cannot be read again.
    """
    tokens: set[str] = set()

    def keep(url: str, token: str) -> None:
        tokens.add(token)
        keep_token(url, token, open_home())

    try:
        yield keep
    except BaseException:
        output.stop_spinner()
        for token in tokens:
            output.note(token_line(token))
        raise


def token_line(token: str) -> str:
    return f"token: {token}  (shown once; connect, tools and call know it on this machine)"


def keep_project_token(status: StatusWithToken | DeployedStatus, home: Home) -> None:
    """Keeps the token for connect, tools and call on this machine, by the project's public and local URLs."""
    for url in {status["url"], status["local_url"]}:
        keep_token(url, status["token"], home)
