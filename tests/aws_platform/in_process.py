"""Runs the platform's two functions in this process, where a sandbox adds nothing: the same application and builder, on
moto, with a stand-in for the deploys alone.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from platform_cli.api.gate import Gate
from platform_cli.aws_platform import builder as builder_module
from platform_cli.aws_platform import deployments as deployments_module
from platform_cli.aws_platform.api import create_app
from platform_cli.aws_platform.builder import Builder
from platform_cli.aws_platform.deployments import DynamoDeployments
from platform_cli.aws_platform.links import DynamoLinks, SecretsManagerVault
from platform_cli.aws_platform.names import DEAD_QUEUE, QUEUE, QUEUE_VARIABLE, TABLE
from platform_cli.aws_platform.queue import DynamoPings, Message, Queue
from platform_cli.aws_platform.queue_resources import QueueResource
from platform_cli.aws_platform.resources import TableResource
from platform_cli.aws_platform.table import Table
from platform_cli.home import Home
from platform_cli.origin import Origin
from platform_cli.pushes.deliveries import Deliveries
from platform_cli.pushes.deployer import Deployed, Emit, Read
from platform_cli.pushes.deployments import Deployment
from platform_cli.pushes.webhook import Webhook
from platform_cli.targets.aws_lambda.client import AWS
from tests.aws.moto_server import Moto
from tests.e2e.probing import wait_for
from tests.github.fake import FakeGitHub

# The region is another one than that of the platform in sandboxes.
REGION = "us-west-2"
NAME = "hello-world"
TOKEN = "homeport_of-the-tests"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


class KilledError(BaseException):
    """Ends the builder's process where it stands."""


@dataclass
class Deploys:
    """Stands in for deploys: `made` are the releases as project and commit, `domains` those of the last one. `dies` is
    called before each, and may raise.
    """

    made: list[tuple[str, str | None]] = field(default_factory=list)
    dies: Callable[[], None] = lambda: None
    shared: list[tuple[str, str]] = field(default_factory=list)
    domains: tuple[str, ...] = ()

    async def deploy(self, project: str, read: Read, emit: Emit, source: str, origin: Callable[[], Origin]) -> Deployed:
        with tempfile.TemporaryDirectory() as folder:
            self.domains = read(Path(folder)).domains
        self.dies()
        self.made.append((project, origin().sha))
        return Deployed(len(self.made), {"tools": []}, changed=True, note=None)

    async def destroy(self, project: str) -> None:
        self.made.append((project, None))

    def contract(self, project: str) -> Mapping[str, Any] | None:
        return {"tools": []}

    def mcp_url(self, project: str) -> str | None:
        return f"https://{project}.example.com/mcp"

    def share_secrets(self, project: str, preview: str) -> None:
        self.shared.append((project, preview))


@dataclass
class InProcess:
    """Holds the two functions; `failures` are the builder's."""

    aws: AWS
    home: Home
    deploys: Deploys
    queues: dict[str, str]
    failures: list[BaseException] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.deployments = DynamoDeployments(Table(self.aws))
        self._builder = Builder(self.aws, self.home)
        # The seconds for which messages were put off.
        self.postponed: list[int] = []
        events = self.aws.queues.meta.events
        events.register("provide-client-params.sqs.ChangeMessageVisibility", self._note)

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self.postponed.append(params["VisibilityTimeout"])

    def forget(self) -> None:
        """Forgets what was made, what failed and what was put off."""
        for noted in (self.deploys.made, self.deploys.shared, self.failures, self.postponed):
            noted.clear()

    def restart(self) -> None:
        """Replaces the functions by their next instances, which remember nothing."""
        self._builder = Builder(self.aws, self.home)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Starts a fresh instance of the function that the world sees, and yields its URL."""
        table = Table(self.aws)
        links, pings = DynamoLinks(table, SecretsManagerVault(self.aws)), DynamoPings(table)
        webhook = Webhook(Deliveries(links, DynamoDeployments(table), pings, Queue(self.aws).wake))
        app = Gate(create_app(self.aws), webhook, lambda token: token == TOKEN)
        config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

    def build(self, at_most: int = 1000) -> None:
        """Hands messages to the builder while there are any; what fails comes again at once, until it is dead."""
        for _ in range(at_most):
            if not any(self._build_from(name) for name in (QUEUE, DEAD_QUEUE)):
                return

    def _build_from(self, name: str) -> bool:
        queue = {"QueueUrl": self.queues[name]}
        received = self.aws.queues.receive_message(**queue, MaxNumberOfMessages=1, AttributeNames=["All"])
        for message in received.get("Messages", []):
            record = {
                "body": message["Body"],
                "attributes": message["Attributes"],
                "receiptHandle": message["ReceiptHandle"],
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{name}",
            }
            receipt = {"ReceiptHandle": message["ReceiptHandle"]}
            try:
                asyncio.run(self._builder.receive(Message.read(record)))
            except BaseException as error:
                self.failures.append(error)
                if not isinstance(error, KilledError | Exception):
                    raise
                self.restart()
                hidden = len(self.postponed)
                self.aws.queues.change_message_visibility(**queue, **receipt, VisibilityTimeout=0)
                del self.postponed[hidden:]
            else:
                self.aws.queues.delete_message(**queue, **receipt)
            return True
        return False

    def link(self, github: FakeGitHub, **more: Any) -> dict[str, Any]:
        wanted = {"server_url": github.url, "api_url": f"{github.url}/api", "name": github.name, "token": github.token}
        answer = httpx.post(f"{self.url}/v1/github/links", json={**wanted, **more}, headers=HEADERS, timeout=60)
        linked: dict[str, Any] = answer.json()
        assert answer.status_code == 200, linked
        return linked

    def unlink(self, project: str = NAME) -> None:
        assert httpx.delete(f"{self.url}/v1/github/links/{project}", headers=HEADERS, timeout=60).status_code == 200

    @property
    def links(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/v1/github/links", headers=HEADERS).json()
        return found

    def states(self, project: str = NAME) -> list[tuple[str | None, str]]:
        """Returns the states of the deployments, newest first."""
        return [(one.sha, one.state) for one in self.deployments.of(project)]

    def newest(self, project: str = NAME) -> Deployment:
        return self.deployments.of(project)[0]


@contextmanager
def running(moto: Moto, folder: Path) -> Iterator[InProcess]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in moto.environment.items():
            patch.setenv(name, value)
        aws, deploys = AWS(REGION), Deploys()
        TableResource(aws, TABLE).make()
        dead = QueueResource(aws, DEAD_QUEUE)
        queue = QueueResource(aws, QUEUE, dead)
        dead.make()
        queue.make()
        patch.setenv(QUEUE_VARIABLE, queue.url)
        # moto is slow with long lists.
        patch.setattr(deployments_module, "KEPT", 10)
        patch.setattr(builder_module, "LambdaDeployer", lambda *_: deploys)
        here = InProcess(aws, Home(folder), deploys, {QUEUE: queue.url, DEAD_QUEUE: dead.url})
        with here.serving() as here.url:
            yield here
