"""Defines what makes releases of commits: the platform on this machine, or functions on AWS Lambda."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..api.build_event import Progress
from ..config.project import Project
from ..origin import Origin
from ..pipeline.stages import Stages

Emit = Callable[[Progress], None]
# Puts a project's source into the given folder.
Read = Callable[[Path], Project]


@dataclass(frozen=True, slots=True)
class Deployed:
    """Is a release that was made; `note` is a sentence for the person, for the build's log."""

    release: int
    contract: Mapping[str, Any] | None
    changed: bool
    note: str | None


class Deployer(Protocol):
    async def deploy(self, project: str, read: Read, emit: Emit, source: str, origin: Callable[[], Origin]) -> Deployed:
        """Builds what `read` returns and makes it serve as `project`; `origin` is called once it is built.

        Raises HomeportError, with the old release still serving.
        """

    async def destroy(self, project: str) -> None:
        """Removes a project.

        Raises NotFoundError if it does not exist.
        """

    def contract(self, project: str) -> Mapping[str, Any] | None:
        """Returns the contract of the release that serves, None before there is one."""

    def mcp_url(self, project: str) -> str | None: ...

    def share_secrets(self, project: str, preview: str) -> None:
        """Gives a preview its project's present values, under the preview's own name."""


def token_note(project: str, options: str = "") -> str:
    """Returns the sentence about a token that was made when nobody was there to see it."""
    return f"callers need a token now: `homeport new-token {project}{options}` prints one"


def told_stages(emit: Emit) -> Stages:
    """Returns stages that are reported as events."""
    return Stages(
        lambda name: emit({"event": "start", "name": name}),
        lambda stage: emit({"event": "end", "name": stage.name, "seconds": stage.seconds, "cached": stage.cached}),
    )
