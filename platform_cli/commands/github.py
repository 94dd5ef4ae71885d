"""Implements `homeport login`, `logout` and `whoami`."""

from __future__ import annotations

import sys

import click

from ..errors import InputError
from ..github.credentials import forget_token, get_token, keep_token, token_of_gh
from ..github.repository import GitHub, chosen_github
from ..home import open_home
from ..platform_client.connections import check_token
from .options import json_option
from .output import Output


@click.command("login")
@click.option("--token", "reads_token", is_flag=True, help="Ask for a token, or read it from stdin, instead.")
@json_option
def login_command(reads_token: bool, as_json: bool) -> None:
    """Log in to GitHub: with an installed gh's token, with a code to type there, or with --token."""
    output, home, github = Output(as_json=as_json), open_home(), chosen_github()
    token = _read_token(github) if reads_token else _obtain(github, output)
    name = _name(github, token)
    place = keep_token(github, token, home)
    data = {"ok": True, "github": github.server_url, "login": name, "kept_in": place}
    output.result(data, f"logged in to {github.server_url} as {name}; the token is in {place}")


@click.command("logout")
@json_option
def logout_command(as_json: bool) -> None:
    """Forget the GitHub token of this machine. Links keep the one that they were made with."""
    github = chosen_github()
    known = forget_token(github, open_home())
    text = f"logged out of {github.server_url}" if known else "nobody was logged in"
    Output(as_json=as_json).result({"ok": True, "logged_out": known}, text)


@click.command("whoami")
@json_option
def whoami_command(as_json: bool) -> None:
    """Say who is logged in to GitHub."""
    github = chosen_github()
    name = _name(github, get_token(github, open_home()))
    Output(as_json=as_json).result({"ok": True, "github": github.server_url, "login": name}, name)


def _name(github: GitHub, token: str) -> str:
    from ..github.client import GitHubClient

    with GitHubClient(github, token) as client:
        return str(client.get("/user")["login"])


def _read_token(github: GitHub) -> str:
    text = click.prompt("token", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    try:
        return check_token(str(text).strip())
    except InputError as error:
        hint = f"{github.server_url}/settings/tokens makes one, with the scopes repo and admin:repo_hook"
        raise InputError(error.message, hint=hint) from None


def _obtain(github: GitHub, output: Output) -> str:
    from ..github.login import CLIENT_ID_VARIABLE, client_id, log_in

    if token := token_of_gh(github):
        output.note("using the token of gh")
        return token
    client = client_id()
    if client is None:
        raise InputError(
            "there is neither a gh that is logged in nor the client id of an app to log in with",
            hint=f"homeport login --token, or set {CLIENT_ID_VARIABLE} to the client id of your OAuth app",
        )
    return log_in(github, client, lambda url, code: output.note(f"open {url} and type {code}"))
