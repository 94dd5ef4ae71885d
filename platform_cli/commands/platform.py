"""Implements `homeport platform` and its commands, but for those that have a module of their own."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, get_args

import click

from .. import __version__
from ..api.platform import Isolate
from ..errors import InputError, PlatformError
from ..home import open_home
from ..platform_client.client import PlatformClient
from ..platform_client.connections import Remote, check_token, check_url, keep_token
from .aws_platform import deploy_platform_command, destroy_platform_command
from .options import json_option, local_client, platform_client, running
from .output import Output, table
from .platform_image import platform_image_command
from .platform_resource import resource_group
from .token import keep_project_token

if TYPE_CHECKING:
    from ..api.platform import PlatformState


@click.group("platform")
def platform_command() -> None:
    """Start, stop, restart or look at the embedded platform; give it a domain; make tokens for other machines."""


@platform_command.command("start")
@click.option("--domain", metavar="NAME", help="Serve PROJECT.NAME through Caddy from now on: mcp.example.com[:PORT].")
@click.option("--no-domain", is_flag=True, help="Serve on this machine alone again.")
@click.option(
    "--isolate",
    type=click.Choice(get_args(Isolate)),
    help="Run each server as the platform's own user, as a user of its own, which takes root, or, from its next deploy "
    "on, in a container. With a domain root's servers have users of their own unless this says something else.",
)
@click.option("--foreground", is_flag=True, help="Run in this process until it is stopped, as services do.")
@json_option
def start(domain: str | None, no_domain: bool, isolate: Isolate | None, foreground: bool, as_json: bool) -> None:
    """Start the platform in the background, if it is not running."""
    if domain is not None and no_domain:
        raise InputError("--domain and --no-domain exclude each other")
    client, output = local_client(), Output(as_json=as_json)
    if foreground:
        if domain is not None or no_domain or isolate is not None:
            raise InputError("--foreground goes with nothing else", hint="set the rest once it runs")
        _become_platform(client)
    running(client, changes=True)
    before = client.platform()["isolate"]
    if isolate is not None:
        client.isolate(isolate)
    closed = client.set_domain(domain) if domain is not None or no_domain else []
    for status in closed:
        keep_project_token(status, open_home())
        # The token is shown at once, since it cannot be read again, whatever happens to Caddy.
        output.note(
            f"{status['project']} was open to everyone, and nobody had said that it should be: callers sign in now, or"
            f" show this token: {status['token']}"
        )
    if closed:
        output.note("shown once; `homeport connect` has a link to sign in by")
        output.note('`[auth] mode = "none"` in a project\'s fastmcp.toml opens it with the next deploy')
    if client.platform()["isolate"] == "users" != before:
        _tell_of_users(client, output)
    if client.platform()["domain"] is not None:
        output.note("looking whether Caddy serves the public names ...")
        _open_edge(client)
    platform = client.platform()
    tokens = {"tokens": {status["project"]: status["token"] for status in closed}} if closed else {}
    output.result({**_running_data(platform), **tokens}, _started(platform))


def _tell_of_users(client: PlatformClient, output: Output) -> None:
    """Says that servers have users of their own now, and which run on as root."""
    output.note(
        "each server runs as a user of its own from now on: what only root may read is closed to it"
        " (`--isolate namespaces` undoes it)"
    )
    for status in client.projects():
        if status["target"] == "local" and status["release"] and status["user"] is None:
            output.note(
                f"{status['project']} runs as root as before, since an older homeport has made it, or it does not start"
                " otherwise: deploy it again"
            )


def _open_edge(client: PlatformClient) -> None:
    try:
        client.open_edge()
    except PlatformError as error:
        message = f"the platform runs, but its public names do not work yet: {error.message}"
        raise PlatformError(message, hint=error.hint) from error


def _running_data(platform: PlatformState) -> dict[str, object]:
    return {"ok": True, "running": True, **platform, "command_version": __version__}


def _started(platform: PlatformState) -> str:
    lines = [f"running, process {platform['pid']}"]
    if platform["domain"]:
        lines.append(
            f"public: https://NAME.{platform['domain']} for each project, https://{platform['domain']} for --platform"
        )
    if platform["isolate"] == "users":
        lines.append("each server runs as a user of its own")
    if platform["isolate"] == "container":
        lines.append("each server runs in a container, from its next deploy on")
    return "\n".join(lines)


def _become_platform(client: PlatformClient) -> None:
    if client.is_running():
        raise PlatformError("a platform runs already", hint="`homeport platform stop` ends it")
    os.execv(sys.executable, [sys.executable, "-m", "platform_cli.controlplane.master"])  # noqa: S606 - no shell is wanted


@platform_command.command("clean")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@json_option
def clean(dry_run: bool, as_json: bool) -> None:
    """Remove what nothing needs any more: old releases, their bundles and layers, what killed builds left."""
    client, output = running(local_client(), changes=not dry_run), Output(as_json=as_json)
    waste = client.clean(dry_run=dry_run)
    freed = sum(each["bytes"] for each in waste)
    rows = [(each["kind"], each["name"], f"{each['bytes'] / 1e6:.1f} MB") for each in waste]
    end = f"{freed / 1e6:.1f} MB {'would be' if dry_run else 'are'} free"
    text = f"{table(('what', 'name', 'size'), rows)}\n\n{end}" if rows else "there is nothing to remove"
    output.result({"ok": True, "dry_run": dry_run, "removed": waste, "bytes": freed}, text)


@platform_command.command("restart")
@json_option
def restart(as_json: bool) -> None:
    """Start the platform anew, after an upgrade for example; what it serves is not interrupted."""
    client = local_client()
    if client.is_running():
        client.restart()
    else:
        client.ensure_running()
    platform = client.platform()
    Output(as_json=as_json).result(_running_data(platform), _started(platform))


@platform_command.command("stop")
@json_option
def stop(as_json: bool) -> None:
    """Stop the platform; open requests finish, projects answer again after the next start."""
    stopped = local_client().stop()
    text = "stopped" if stopped else "it was not running"
    Output(as_json=as_json).result({"ok": True, "running": False, "stopped": stopped}, text)


@platform_command.command("status")
@json_option
def status(as_json: bool) -> None:
    """Say whether the platform runs."""
    client = platform_client()
    try:
        platform = client.platform()
    except PlatformError:
        if client.remote is not None:
            raise
        Output(as_json=as_json).result({"ok": True, "running": False}, "not running; `homeport platform start`")
        return
    process = f", process {platform['pid']}" if platform["pid"] else ""
    lines = [f"running{process}, {platform['projects']} projects"]
    ours = "" if platform["version"] == __version__ else f"; this command is {__version__}"
    lines.append(f"homeport {platform['version']}{ours}")
    lines += [f"{key}: {platform[key]}" for key in ("domain", "caddyfile") if platform[key]]
    lines += [f"last error: {platform['edge_error']}"] if platform["edge_error"] else []
    Output(as_json=as_json).result(_running_data(platform), "\n".join(lines))


@platform_command.command("login")
@click.argument("url")
@json_option
def login(url: str, as_json: bool) -> None:
    """Keep the token for the platform at URL; it is asked for, or read from stdin."""
    home, url = open_home(), check_url(url)
    token = click.prompt("token", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    remote = Remote(url, check_token(token.strip()))
    running(PlatformClient(home, remote=remote), changes=False)
    keep_token(remote.url, remote.token, home)
    Output(as_json=as_json).result({"ok": True, "platform": url}, f"next:  homeport --platform {url} deploy server.py")


@platform_command.group("token")
def token_group() -> None:
    """Platform tokens: other machines use this platform by them, and each may do all that deploys and runs projects.

    Tokens for the programs that call a project are client tokens: `homeport token`.
    """


@token_group.command("create")
@click.argument("name")
@json_option
def create_token(name: str, as_json: bool) -> None:
    """Make a platform token called NAME and print it, once: only its hash is kept."""
    token = running(local_client(), changes=True).create_token(name)
    Output(as_json=as_json).result({"ok": True, "name": name, "token": token}, token)


@token_group.command("list")
@json_option
def list_tokens(as_json: bool) -> None:
    """List the names of the platform tokens, and when they were used."""
    tokens = running(local_client(), changes=False).tokens()
    rows = [
        (
            token["name"],
            # An earlier platform knows no others.
            token.get("kind", "platform"),
            _when(token["created_at"]),
            _when(token["used_at"]),
            _when(token.get("expires_at")),
        )
        for token in tokens
    ]
    text = table(("token", "for", "created", "last used", "ends"), rows) if rows else "no platform tokens yet"
    Output(as_json=as_json).result({"ok": True, "tokens": tokens}, text)


@token_group.command("revoke")
@click.argument("name")
@json_option
def revoke_token(name: str, as_json: bool) -> None:
    """End the platform token NAME: from now on it opens nothing."""
    running(local_client(), changes=True).revoke_token(name)
    Output(as_json=as_json).result({"ok": True, "name": name, "revoked": True}, f"{name} opens nothing any more")


def _when(seconds: float | None) -> str:
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


platform_command.add_command(platform_image_command)
platform_command.add_command(resource_group)
platform_command.add_command(deploy_platform_command)
platform_command.add_command(destroy_platform_command)
