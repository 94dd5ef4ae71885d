"""Implements `homeport approve` and `users`."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from .options import json_option, local_client, platform_client, running
from .output import Output, table, visible
from .removals import yes_option

if TYPE_CHECKING:
    from ..api.sign_in import WaitingSignIn
    from ..api.status import DeployedStatus, Status


def make_sign_in_link(status: Status | DeployedStatus) -> str | None:
    """Returns a one-time link that makes a browser the owner's, None where no platform signs people in."""
    if status["auth"] != "oauth" or status["target"] not in ("local", "container"):
        return None
    # An issuer of the owner's own signs people in, and has pages for that.
    with suppress(InputError):
        return platform_client().sign_in_link(status["project"])["url"]
    return None


def sign_in_line(link: str) -> str:
    return (
        f"sign in: {link}\n  once, within 15 minutes; or approve with `homeport approve` what the client's page shows"
    )


@click.command("approve")
@click.argument("code")
@click.option("--user", default="owner", show_default=True, help="Who signs in, as [auth.users] names them.")
@yes_option
@json_option
def approve_command(code: str, user: str, yes: bool, as_json: bool) -> None:
    """Approve the sign-in whose page shows CODE, if it is one that you have begun."""
    client, output = running(local_client(), changes=False), Output(as_json=as_json)
    waiting = client.waiting_sign_in(code)
    if not yes and sys.stdin.isatty() and not as_json:
        output.note(_asked(waiting))
        if not click.confirm(f"let it use {waiting['project']} as {user}?", err=True):
            raise InputError("nothing was approved", hint="the page in the browser refuses it for good")
    approved = client.approve_sign_in(code, user)
    text = f"approved, as {user}: the page in the browser goes on by itself\n{_asked(approved)}"
    output.result({"ok": True, "user": user, **approved}, text)


def _asked(waiting: WaitingSignIn) -> str:
    shown = {
        "project": waiting["project"],
        "program": f"{waiting['client']} ({waiting['client_id']}), in its own words",
        "gets": ", ".join(waiting["scopes"]) or "all that the server offers",
        "answer to": waiting["redirects_to"],
    }
    return "\n".join(visible(f"{key:<10} {value}") for key, value in shown.items())


@click.group("users")
def users_command() -> None:
    """List who has signed in to a project, and end sign-ins."""


@users_command.command("list")
@click.argument("name")
@json_option
def list_users(name: str, as_json: bool) -> None:
    """List who has signed in to project NAME, with which programs."""
    users = running(platform_client(), changes=False).users(name)
    rows = [
        (
            each["user"],
            each["client"],
            " ".join(each["scopes"]) or "all",
            _day(each["created_at"]),
            _day(each["used_at"]),
        )
        for each in users
    ]
    text = table(("user", "program", "scopes", "since", "last use"), rows) if rows else "nobody has signed in yet"
    Output(as_json=as_json).result({"ok": True, "project": name, "users": users}, text)


@users_command.command("revoke")
@click.argument("name")
@click.argument("user")
@json_option
def revoke_user(name: str, user: str, as_json: bool) -> None:
    """End all sign-ins of USER to project NAME, at once."""
    ended = running(platform_client(), changes=True).end_sign_ins(name, user)
    text = f"{ended['ended']} sign-ins of {user} have ended; [auth.users] says who may sign in again"
    Output(as_json=as_json).result({"ok": True, "project": name, **ended}, text)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
