"""Puts the platform on AWS: moto and the emulator, GitHub's stand-in, and one for Lambda's reader of the queue."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from platform_cli.home import Home
from platform_cli.platform_client.client import PlatformClient
from platform_cli.platform_client.connections import Remote
from tests.api.surface import check_json
from tests.aws.control_plane import ControlPlane
from tests.aws.function_url import DOMAIN
from tests.aws.sandbox import machine
from tests.clients import environments
from tests.github.conftest import every_request_is_sound, github, log_in
from tests.github.fake import FakeGitHub, commit, git
from tests.support import SERVERS, Platform, with_config
from tests.targets.aws_lambda.conftest import moto, plane

__all__ = ["every_request_is_sound", "github", "moto", "plane"]

DEADLINE_S = 300
WEB, BUILDER = "homeport_platform_web", "homeport_platform_builder"


@pytest.fixture(scope="session")
def laptop(plane: ControlPlane, github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Returns a home of its own, logged in to GitHub, in which no platform ever runs."""
    here = Platform(tmp_path_factory.mktemp("home"))
    # homeport's own packages are the same for every run.
    for name in ("layers", "cache"):
        kept = environments.cache_folder() / "homeport" / name
        kept.mkdir(parents=True, exist_ok=True)
        (here.home / name).symlink_to(kept)
    here.environment |= {**plane.moto.environment, **github.environment}
    here.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    log_in(here, github.token)
    return here


@dataclass
class Pump:
    """Does what Lambda's event source mappings do: it makes events of messages, and deletes those that do not fail.
    What fails comes again, at once: the tests wait for no timeout. `events` are those that were made.
    """

    plane: ControlPlane
    events: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Tells whether no message waits, and none is being handled."""
        queues = [self.plane.queue(mapping["EventSourceArn"]) for mapping in self.plane.mappings]
        return not any(
            queue.approximate_number_of_messages or queue.approximate_number_of_messages_not_visible for queue in queues
        )

    def _url(self, arn: str) -> str:
        url: str = self.plane.moto.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        return url

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(DEADLINE_S)

    def _run(self) -> None:
        while not self._stopped.is_set():
            for mapping in list(self.plane.mappings):
                if self.plane.queue(mapping["EventSourceArn"]).approximate_number_of_messages:
                    self._step(mapping["EventSourceArn"], mapping["FunctionArn"].rpartition(":")[2])
            self._stopped.wait(0.05)

    def _step(self, arn: str, function: str) -> None:
        sqs, queue = self.plane.moto.client("sqs"), self._url(arn)
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1, AttributeNames=["All"])
        for message in answer.get("Messages", []):
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
            }
            self.events.append(record)
            url = f"{self.plane.moto.url}/2015-03-31/functions/{function}/invocations"
            answer = httpx.post(url, content=json.dumps({"Records": [record]}), timeout=DEADLINE_S)
            if "X-Amz-Function-Error" in answer.headers:
                self.failures.append(answer.text)
                sqs.change_message_visibility(
                    QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )
            else:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


@dataclass(frozen=True)
class Deployed:
    """Holds the platform on AWS: `cli` talks to it, and `pump` reads its queue."""

    cli: Platform
    url: str
    token: str
    pump: Pump

    @property
    def api(self) -> PlatformClient:
        """Returns a client of the API, for what a test asks until it is so: a command takes longer."""
        return PlatformClient(Home(self.cli.home), timeout_s=DEADLINE_S, remote=Remote(self.url, self.token))


@pytest.fixture(scope="session")
def platform(plane: ControlPlane, laptop: Platform, github: FakeGitHub) -> Iterator[Deployed]:
    answer = laptop.run("platform", "deploy", "--target", "lambda", "--architecture", machine())
    check_json("platform deploy", answer)
    github.reach = lambda url: url.replace(f"http://{DOMAIN}/", f"{answer['url']}/")
    cli = Platform(laptop.home)
    # It knows the token, which was kept.
    cli.environment = {**laptop.environment, "HOMEPORT_PLATFORM": answer["url"]}
    pump = Pump(plane)
    yield Deployed(cli, answer["url"], answer["token"], pump)
    pump.stop()
    assert plane.refused == [], "the functions may do what they have to"


@pytest.fixture(scope="session")
def clone(github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes a clone of a repository with the server for this machine's processor, pushed as the only commit of main."""
    parent = tmp_path_factory.mktemp("clone")
    config = f'[deployment.lambda]\narchitecture = "{machine()}"\n[auth]\nmode = "none"\n'
    folder = with_config(SERVERS / "mcp2_lowlevel", config, parent)
    git(parent, "init", "--quiet", "--initial-branch=main", str(folder))
    address = github.url.replace("http://", f"http://x-access-token:{github.token}@")
    git(folder, "remote", "add", "origin", f"{address}/{github.name}.git")
    commit(folder, "a server")
    return folder


@pytest.fixture
def repository(clone: Path) -> Path:
    """Returns the clone as it was when it was made."""
    git(clone, "reset", "--quiet", "--hard", git(clone, "rev-list", "--max-parents=0", "HEAD"))
    return clone


def wait_for(condition: Callable[[], Any], every_s: float = 0.1) -> Any:
    """Returns what `condition` answers once that is true; it fails after a deadline that leaves room for
    whole builds.
    """
    end = time.monotonic() + DEADLINE_S
    while not (answer := condition()):
        assert time.monotonic() < end, f"still not true after {DEADLINE_S} s"
        time.sleep(every_s)
    return answer
