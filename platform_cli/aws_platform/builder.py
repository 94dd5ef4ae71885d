"""Runs the function that builds; each message names a project that has something to do.

There is no git on Lambda, so commits come as archives through GitHub's API. Everything is written below /tmp.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from homeport_runtime.hosts.confinement import keep_memory_private

from ..errors import RateLimitError
from ..github.archives import Archives
from ..home import Home, open_home
from ..pushes.deployments import Deployment
from ..pushes.push_deploys import PushDeploys
from ..pushes.reporter import Reporter
from ..targets.aws_lambda.client import AWS
from .contracts import Contracts
from .deployer import LambdaDeployer
from .deployments import DynamoDeployments
from .leftovers import end_descendants, keep_orphans
from .links import DynamoLinks, SecretsManagerVault
from .names import BUILDER
from .queue import Message, Queue
from .table import Table

TEMPORARY = Path("/tmp")  # noqa: S108 - all that a function may write
HOME = TEMPORARY / "homeport"
# The folders to which builds write, by the variable that names each.
FOLDERS = {"UV_CACHE_DIR": TEMPORARY / "uv", "HOME": TEMPORARY / "user", "TMPDIR": TEMPORARY / "temporary"}
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# The number of times that a message is received before its deployment is given up.
TRIES = 3
# The free bytes that a build should find; packages of earlier builds are removed for them.
ROOM = 2 * 1000**3


class UntoldError(Exception):
    """Says that not everything was reported to GitHub, so the message has to come again."""


def handler(event: dict[str, Any], _context: object) -> None:
    """Handles an event of Lambda's with messages of SQS; an exception makes a message come again."""
    for record in event["Records"]:
        asyncio.run(_builder().receive(Message.read(record)))


class Builder:
    """Builds in `home` and the `folders`; `end_left` ends the processes that an earlier build has left."""

    def __init__(self, aws: AWS, home: Home, *folders: Path, end_left: Callable[[], None] = lambda: None) -> None:
        self._folders = (home.root, *folders)
        self._end_left = end_left
        self._built: str | None = None
        table = Table(aws)
        self._queue = Queue(aws)
        self._deployments = DynamoDeployments(table)
        links = DynamoLinks(table, SecretsManagerVault(aws))
        deployer = LambdaDeployer(aws, home, Contracts(table))
        self._reporter = Reporter(links, self._deployments, deployer)
        self._deploys = PushDeploys(links, self._deployments, deployer, Archives(), self._changed)

    async def receive(self, message: Message) -> None:
        """Handles a message, which comes again after any exception.

        Raises UntoldError if GitHub has to be told again, and RateLimitError if it wants to be asked later.
        """
        try:
            if message.is_dead:
                self._bury(message)
            else:
                await self._work(message.project, message.tries)
        except RateLimitError as error:
            self._queue.postpone(message, error.seconds)
            raise
        if (seconds := await self._tell(message.project)) is not None:
            self._queue.postpone(message, seconds)
            raise UntoldError(message.project)

    async def _work(self, project: str, tries: int) -> None:
        if tries > TRIES:
            why = f"the build ended {TRIES} times without a result, for its memory or its time (15 minutes) most likely"
            self._give_up((one for one in self._deployments.of(project) if one.state == "running"), why)
        # A running deployment has no builder any more, since a project has only one at a time.
        self._deployments.restart(project)
        self.settle(project)
        await self._deploys.work(project)

    def settle(self, project: str) -> None:
        """Empties the folders before another project's build, and when the disk is nearly full.

        The previous build's server could write anything into them while it was loaded, and so could what it started.
        """
        if self._built not in (None, project) or shutil.disk_usage(TEMPORARY).free < ROOM:
            self._end_left()
            for folder in self._folders:
                # Under another name, since a folder may be made so that it cannot be removed.
                left = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
                folder.rename(left)
                folder.mkdir(mode=0o700)
                shutil.rmtree(left, ignore_errors=True)
        self._built = project

    def _bury(self, message: Message) -> None:
        """Fails the deployments of a message that came too often; later ones get a new message."""
        why = f"the builder failed too often: its log group is /aws/lambda/{BUILDER}; push again to try again"
        waiting = [one for one in self._deployments.of(message.project) if one.state in ("waiting", "running")]
        self._give_up((one for one in waiting if one.queued_at <= message.sent_at), why)
        if any(one.queued_at > message.sent_at for one in waiting):
            self._queue.wake(message.project)

    def _give_up(self, deployments: Iterable[Deployment], why: str) -> None:
        for deployment in deployments:
            self._deployments.append_log(deployment, f"error: {why}")
            self._deployments.end(deployment, "failed", error=why)

    async def _tell(self, project: str) -> float | None:
        """Reports to GitHub, and returns None, or the seconds after which to try again."""
        untold = self._reporter.untold(self._deployments.unreported(project))
        told = [await self._reporter.tell_all(each) for each in untold.values()]
        return max((seconds for seconds in told if seconds is not None), default=None)

    async def _changed(self, project: str) -> None:
        await self._tell(project)


@cache
def _builder() -> Builder:
    os.environ |= {"HOMEPORT_HOME": str(HOME), **{name: str(folder) for name, folder in FOLDERS.items()}}
    for folder in FOLDERS.values():
        folder.mkdir(mode=0o700, exist_ok=True)
    # tempfile caches the folder that it has found before.
    tempfile.tempdir = None
    aws = AWS(None)
    # Packages are built here, and a server is loaded to inspect it. None of them may have homeport's credentials,
    # neither from their environment nor from this process's files in /proc.
    aws.hold_credentials()
    keep_memory_private()
    keep_orphans()
    for name in CREDENTIALS:
        os.environ.pop(name, None)
    return Builder(aws, open_home(), *FOLDERS.values(), end_left=end_descendants)
