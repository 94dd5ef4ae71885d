"""Linked repositories: each push to them is deployed."""

from __future__ import annotations

from typing import Literal

from .shape import Shape


class WantedLink(Shape):
    """What `homeport link-repo` asks for: the repository `name` (`owner/name`) of the GitHub at `server_url`, whose API
    is at `api_url`, its `branch` (None for its own default) and `folder` (empty for all of it). `poll` looks for new
    commits instead of a webhook, which comes to `webhook_url`, by default the platform's own.
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
    """A linked repository and the project that its pushes deploy; `state` and `sha` are those of the newest commit,
    None before there is one.
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
    """A project that pushes deploy no more; `webhook_left` is why its webhook could not be removed, None if it was."""

    unlinked: str
    webhook_left: str | None
