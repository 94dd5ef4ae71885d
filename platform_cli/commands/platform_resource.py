"""Implements `homeport platform resource`."""

from __future__ import annotations

import click

from ..config.names import default_name
from ..errors import InputError
from .deploy import read_project
from .options import json_option, platform_client, running, stage_option
from .output import Output, table
from .registration import registered_line, registration_of


@click.group("resource")
def resource_group() -> None:
    """Servers elsewhere that people sign in to at this platform: on Lambda, in a container or on a cluster.

    A deploy with this platform as its issuer registers its project by itself. For all others nobody gets a token.
    """


@resource_group.command("add")
@click.argument("path", default=".")
@click.option("--url", "urls", multiple=True, metavar="URL", help="Where it is called, no path; repeatable.")
@click.option("--name", help="The project's name; default: as deploy.")
@stage_option
@json_option
def add(path: str, urls: tuple[str, ...], name: str | None, stage: str | None, as_json: bool) -> None:
    """Register the server of PATH, whose fastmcp.toml names this platform as its issuer.

    Without --url it is called at the public names of its [domains].
    """
    from ..platform_client.issuing import public_urls
    from ..targets.local.places import named_in_source

    project = read_project(path, name, (), stage=stage)
    registration = registration_of(project)
    if registration is None:
        issuer = project.issuer.url if project.issuer else None
        raise InputError(
            f"{issuer or 'no issuer'} is no platform that this machine knows",
            hint=f"`homeport platform login {issuer}`" if issuer else 'issuer = "https://PLATFORM" under [auth]',
        )
    chosen = project.name or default_name(named_in_source(project), project)
    added = registration.carry_out(chosen, [*urls, *public_urls(project)])
    Output(as_json=as_json).result({"ok": True, **added}, registered_line(added, project))


@resource_group.command("list")
@json_option
def list_resources(as_json: bool) -> None:
    """List the servers elsewhere that people sign in to here."""
    resources = running(platform_client(), changes=False).resources()
    rows = [(each["name"], " ".join(each["urls"]), " ".join(each["scopes"]) or "-") for each in resources]
    text = table(("resource", "at", "scopes"), rows) if rows else "no resources elsewhere yet"
    Output(as_json=as_json).result({"ok": True, "resources": resources}, text)


@resource_group.command("remove")
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """End the sign-ins to resource NAME, and issue no more tokens for it; its last ones are good for 15 minutes."""
    running(platform_client(), changes=True).remove_resource(name)
    Output(as_json=as_json).result({"ok": True, "name": name, "removed": True}, f"{name} gets no more tokens")
