"""Defines links of repositories to projects, to which each push is deployed."""

from __future__ import annotations

from typing import Literal

from .shape import Shape


class WantedLink(Shape):
    """Holds what `homeport link-repo` asks for: the repository `name` (`owner/name`) and how to follow it.

    The repository is of the GitHub at `server_url`, whose API is at `api_url`. `branch` is None for the repository's
    default, `folder` is empty for all of it. `poll` looks for new commits instead of a webhook, whose deliveries go to
    `webhook_url`, by default the platform's own.
    """

    server_url: str
    api_url: str
    name: str
    token: str
    branch: str | None
    folder: str
    previews: bool
    poll: bool
    webhook_url: str | None


class ListedLink(Shape):
    """Describes a linked repository and the project to which its pushes are deployed.

    `state` and `sha` are those of the newest commit, None before there is one.
    """

    project: str
    repository: str
    branch: str
    path: str
    previews: bool
    watched: Literal["webhook", "polling"]
    state: str | None
    sha: str | None
    error: str | None


class Unlinked(Shape):
    """Names a project that was unlinked; `webhook_left` is why its webhook could not be removed, None if it was."""

    unlinked: str
    webhook_left: str | None
