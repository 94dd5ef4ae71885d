"""Implements `homeport token create`, `list` and `revoke`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from .options import json_option, running_target, target_option, time_span
from .output import Output, table

if TYPE_CHECKING:
    from ..api.client_token import ListedClientToken


@click.group("token")
def token_command() -> None:
    """Client tokens: by each of them a project knows one program that calls it, and what that may do.

    Tokens with which other machines use the platform itself are made by `homeport platform token`.
    """


@token_command.command("create")
@click.argument("name")
@click.option("--client", required=True, metavar="CLIENT", help="The program that gets it, such as claude-ai-prod.")
@click.option("--user", metavar="USER", help="Whom the program acts for, such as alice@company.com.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="What it may do, of [scopes]; else everything.")
@click.option("--expires", metavar="90d", help="When it ends: in 30m, 12h, 90d; else never.")
@target_option
@json_option
def create_token(
    name: str, client: str, user: str | None, scopes: tuple[str, ...], expires: str | None, as_json: bool
) -> None:
    """Make a client token for project NAME and print it, once: only its hash is kept.

    Running servers know it at once.
    """
    expires_s = time_span(expires, "--expires") if expires else None
    made = running_target(changes=True).create_client_token(
        name, {"client": client, "user": user, "scopes": list(scopes) or None, "expires_s": expires_s}
    )
    Output(as_json=as_json).result({"ok": True, "project": name, **made}, made["token"])


@token_command.command("list")
@click.argument("name")
@target_option
@json_option
def list_tokens(name: str, as_json: bool) -> None:
    """List the client tokens of project NAME: for whom, for what, and when they were used."""
    tokens = running_target(changes=False).client_tokens(name)
    columns = ("token", "client", "user", "scopes", "expires", "last used")
    text = table(columns, list(map(_row, tokens))) if tokens else f"{name} has no client tokens"
    Output(as_json=as_json).result({"ok": True, "project": name, "tokens": tokens}, text)


@token_command.command("revoke")
@click.argument("name")
@click.argument("token")
@target_option
@json_option
def revoke_token(name: str, token: str, as_json: bool) -> None:
    """End a client token of project NAME, at once; TOKEN is its name in `homeport token list`."""
    running_target(changes=True).revoke_client_token(name, token)
    Output(as_json=as_json).result(
        {"ok": True, "project": name, "id": token, "revoked": True}, f"{token} lets nobody call {name} any more"
    )


def _row(token: ListedClientToken) -> tuple[str, ...]:
    scopes = "all" if token["scopes"] is None else " ".join(token["scopes"])
    ended = token["expires_at"] is not None and token["expires_at"] <= time.time()
    expires = "expired" if ended else _when(token["expires_at"])
    return token["id"], token["client"], token["user"] or "-", scopes, expires, _when(token["used_at"])


def _when(seconds: float | None) -> str:
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
