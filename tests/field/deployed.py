"""Serves the same server through homeport: the first command only, and what the URL then offers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support import CommandFailedError, Platform

from .listing import NotListedError, Tools, difference, over_http, over_sse

# The seconds within which a deploy has to end.
DEPLOY_S = 300.0


class NotDeployedError(Exception):
    """Says that the deploy failed; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Live:
    """Holds a project that was deployed, in `seconds`. `gaps` are parts of its libraries that homeport did not find."""

    mcp_url: str
    sse_url: str
    seconds: float
    gaps: tuple[str, ...] = ()


@contextmanager
def live(platform: Platform, project: str, source: str, options: Sequence[str] = ()) -> Iterator[Live]:
    """Deploys `source` for as long as the block runs. Raises NotDeployedError."""
    started = time.monotonic()
    try:
        answer = platform.run("deploy", source, "--name", project, *options)
    except CommandFailedError as error:
        raise NotDeployedError(f"{error.error.get('message', error)} ({error.error.get('hint', '')})") from error
    except subprocess.TimeoutExpired as error:
        raise NotDeployedError(f"takes longer than {platform.timeout_s:.0f} s") from error
    try:
        gaps = tuple(each["text"] for each in answer["findings"] if each["kind"] == "library-gap")
        yield Live(answer["mcp_url"], answer["sse_url"], time.monotonic() - started, gaps)
    finally:
        platform.run("destroy", project)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Holds what a deploy made of a server: `seconds` is how long it took; each reason is empty if all is
    as by hand.
    """

    seconds: float = 0.0
    deploy: str = ""
    mcp: str = ""
    sse: str = ""

    @property
    def holds(self) -> bool:
        return not self.reason

    @property
    def reason(self) -> str:
        """Returns the first thing that is not as by hand."""
        return self.deploy or self.mcp or self.sse


def outcome(platform: Platform, project: str, source: str, options: Sequence[str], by_hand: Tools) -> Outcome:
    """Returns what a deploy makes of a server that offers `by_hand`; the project is destroyed when this returns."""
    try:
        with live(platform, project, source, options) as deployment:
            return compared(deployment, by_hand)
    except NotDeployedError as error:
        return Outcome(deploy=str(error))


def compared(deployment: Live, by_hand: Tools) -> Outcome:
    mcp = _difference(over_http, deployment.mcp_url, by_hand)
    return Outcome(deployment.seconds, mcp=mcp, sse=_difference(over_sse, deployment.sse_url, by_hand))


def _difference(listed: Callable[[str], Tools], url: str, by_hand: Tools) -> str:
    try:
        return difference(by_hand, listed(url))
    except NotListedError as error:
        return str(error)
