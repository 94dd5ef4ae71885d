"""The function that builds: each message names a project that has something to do.

There is no git on Lambda, so commits come as archives through GitHub's API. Everything is written below /tmp.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from homeport_runtime.hosts.confinement import keep_memory_private

from ...github.archives import Archives
from ...home import Home, open_home
from ...targets.aws_lambda.client import AWS
from ..push_deploys import PushDeploys
from ..reporter import Reporter
from .contracts import Contracts
from .deployer import LambdaDeployer
from .deployments import DynamoDeployments
from .links import DynamoLinks, SecretsManagerVault
from .queue import Queue
from .table import Table

TEMPORARY = Path("/tmp")  # noqa: S108 - all that a function may write
HOME, UV_CACHE = TEMPORARY / "homeport", TEMPORARY / "uv"
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# So often a message comes before what it is about is given up.
TRIES = 3
# Seconds until GitHub is told again what it could not be told.
TELL_AGAIN_S = 60.0
# Bytes that a build should find; packages of earlier ones make room.
ROOM = 2 * 1000**3


class UntoldError(Exception):
    """GitHub has not heard everything yet: the message has to come again."""


def handler(event: dict[str, Any], _context: object) -> None:
    """An event of Lambda's for messages of SQS. What it raises makes a message come again."""
    builder = _builder()
    for record in event["Records"]:
        project = json.loads(record["body"])["project"]
        asyncio.run(builder.work(project, int(record["attributes"]["ApproximateReceiveCount"])))
        if (seconds := asyncio.run(builder.tell(project))) is not None:
            builder.queue.postpone(record["receiptHandle"], max(seconds, TELL_AGAIN_S))
            raise UntoldError(project)


class Builder:
    def __init__(self, aws: AWS, home: Home) -> None:
        table = Table(aws)
        self.queue = Queue(aws)
        self._home = home
        self._deployments = DynamoDeployments(table)
        links = DynamoLinks(table, SecretsManagerVault(aws))
        deployer = LambdaDeployer(aws, home, Contracts(table))
        self._reporter = Reporter(links, self._deployments, deployer)
        self._deploys = PushDeploys(links, self._deployments, deployer, Archives(), self._changed)

    async def work(self, project: str, tries: int) -> None:
        if tries > TRIES:
            self._give_up(project)
        # What runs has no builder any more: there is only one for a project at a time.
        self._deployments.restart(project)
        if shutil.disk_usage(TEMPORARY).free < ROOM:
            for folder in (self._home.root, UV_CACHE):
                shutil.rmtree(folder, ignore_errors=True)
            open_home()
        await self._deploys.work(project)

    def _give_up(self, project: str) -> None:
        reason = f"the build ended {TRIES} times without a result, for its memory or its time (15 minutes) most likely"
        for deployment in self._deployments.of(project):
            if deployment.state == "running":
                self._deployments.append_log(deployment, f"error: {reason}")
                self._deployments.end(deployment, "failed", error=reason)

    async def tell(self, project: str) -> float | None:
        """None when GitHub knows everything, else in how many seconds to tell it again."""
        untold = self._reporter.untold(self._deployments.unreported(project))
        told = [await self._reporter.tell_all(each) for each in untold.values()]
        return max((seconds for seconds in told if seconds is not None), default=None)

    async def _changed(self, project: str) -> None:
        await self.tell(project)


@cache
def _builder() -> Builder:
    os.environ |= {"HOMEPORT_HOME": str(HOME), "UV_CACHE_DIR": str(UV_CACHE), "HOME": str(TEMPORARY)}
    aws = AWS(None)
    # Packages are built here, and a server is loaded to hear what it offers: none of them may have our credentials,
    # neither from what it inherits nor from this process's files in /proc.
    aws.hold_credentials()
    keep_memory_private()
    for name in CREDENTIALS:
        os.environ.pop(name, None)
    return Builder(aws, open_home())
