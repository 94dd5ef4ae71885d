"""Implements `homeport link-repo`, `unlink-repo` and `repos`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from ..github.credentials import get_token
from ..github.repository import chosen_github, read_repository
from ..home import open_home
from .options import json_option, platform_client, running
from .output import Output, table

if TYPE_CHECKING:
    from ..api.link import ListedLink, WantedLink


@click.command("link-repo")
@click.argument("url")
@click.option("--branch", help="The branch whose pushes are deployed; default: the repository's own.")
@click.option("--path", "folder", default="", help="The server's folder, where the repository holds several.")
@click.option("--previews", is_flag=True, help="Deploy pull requests, too, each under a name of its own.")
@click.option("--poll", is_flag=True, help="Look for new commits instead of a webhook: no public address is needed.")
@click.option("--webhook-url", metavar="URL", help="Where GitHub reaches /github/webhook, behind a proxy of your own.")
@json_option
def link_repo_command(
    url: str, branch: str | None, folder: str, previews: bool, poll: bool, webhook_url: str | None, as_json: bool
) -> None:
    """Deploy each push to the GitHub repository at URL, its newest commit at once."""
    github = chosen_github()
    repository = read_repository(url, github)
    if poll and webhook_url:
        raise InputError("--poll and --webhook-url exclude each other")
    token = get_token(github, open_home())
    client = running(platform_client(), changes=True)
    if not (poll or webhook_url or client.platform()["domain"]):
        poll = _offer_polling()
    wanted: WantedLink = {
        "server_url": github.server_url,
        "api_url": github.api_url,
        "name": repository.name,
        "token": token,
        "branch": branch,
        "folder": folder,
        "previews": previews,
        "poll": poll,
        "webhook_url": webhook_url,
    }
    link = client.link(wanted)
    text = (
        f"{link['repository']} ({link['branch']}) deploys {link['project']} through {link['watched']}\n"
        f"next:  homeport deployments {link['project']}"
    )
    Output(as_json=as_json).result({"ok": True, **link}, text)


def _offer_polling() -> bool:
    question = "GitHub cannot reach this platform, which has no public name. Look for new commits from here instead?"
    if sys.stdin.isatty() and click.confirm(question, default=True, err=True):
        return True
    raise InputError(
        "GitHub cannot reach this platform: it has no public name",
        hint="add --poll, or give it a name: homeport platform start --domain NAME",
    )


@click.command("unlink-repo")
@click.argument("name")
@json_option
def unlink_repo_command(name: str, as_json: bool) -> None:
    """Deploy project NAME by pushes no more. What serves goes on; its previews end."""
    output = Output(as_json=as_json)
    answer = running(platform_client(), changes=True).unlink(name)
    if answer["webhook_left"]:
        output.note(f"the webhook is still in the repository's settings: {answer['webhook_left']}")
    output.result({"ok": True, **answer}, f"pushes do not deploy {name} any more")


@click.command("repos")
@json_option
def repos_command(as_json: bool) -> None:
    """List the repositories whose pushes are deployed."""
    links = running(platform_client(), changes=False).links()
    rows = [_row(link) for link in links]
    header = ("project", "repository", "branch", "path", "watched", "commit", "state", "error")
    text = table(header, rows) if rows else "no repositories yet; homeport link-repo URL"
    Output(as_json=as_json).result({"ok": True, "repos": links}, text)


def _row(link: ListedLink) -> tuple[str, ...]:
    error = (link["error"] or "-").splitlines()[0]
    shown = (link["project"], link["repository"], link["branch"], link["path"] or "-", link["watched"])
    return (*shown, (link["sha"] or "-")[:7], link["state"] or "-", error)
