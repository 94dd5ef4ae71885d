"""From a push's delivery to its answer, at the platform at home, against `webhook` (https://github.com/adnanh/webhook).

GitHub's own example of a push, signed by its own library, comes over a new connection each time: while nothing else is
done, and while pushed commits are built and deployed, the first of them with its layer. The peer is what people put on
a machine of their own so that pushes deploy: one Go program (`apt-get install webhook`) that checks the same signature
over the same body, compares the ref, starts a command and answers. It remembers nothing, while here the push and its
delivery are on disk before the answer. Each delivery goes to both, one after the other, so that a deploy slows both.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.probing import wait_for
from tests.github import fake
from tests.github.conftest import log_in
from tests.github.fake import FakeGitHub, commit, delivery_headers, git
from tests.support import SERVERS, Platform

from .harness import folder, free_port, process, show, show_ratio

KIND = "mcp2_lowlevel"
NAME = "hello-world"
# Seconds between two deliveries while a commit is deployed.
PAUSE_S = 0.05
# How many are signed at a time, by a process.
BATCH = 200
SIGNATURE = "X-Hub-Signature-256"


@dataclass(slots=True)
class Measured:
    """Seconds of each delivery, by whom it went to."""

    homeport: list[float] = field(default_factory=list)
    webhook: list[float] = field(default_factory=list)

    def show(self, when: str) -> None:
        sides = [
            f"{name} median {statistics.median(found) * 1000:.1f} ms, worst {max(found) * 1000:.1f} ms"
            for name, found in (("homeport", self.homeport), ("webhook", self.webhook))
        ]
        show(f"{when}, {len(self.homeport)} pushes:   {sides[0]}   {sides[1]}")

    @property
    def ratio(self) -> float:
        return statistics.median(self.homeport) / statistics.median(self.webhook)


class Deliveries:
    """Pushes of commits that nobody else has pushed, as GitHub would deliver them, to both sides in turn."""

    def __init__(self, github: FakeGitHub, repository: Path) -> None:
        self._github = github
        self._repository = repository
        self._made = 0
        self._signed: list[tuple[bytes, str]] = []

    def _make(self) -> None:
        numbers = range(self._made, self._made + BATCH)
        pushes = [self._github.push(self._repository, after=f"{number:040x}") for number in numbers]
        bodies = [json.dumps(push).encode() for push in pushes]
        self._signed = list(zip(bodies, self._github.sign(bodies), strict=True))
        self._made += BATCH

    def measure(self, urls: Sequence[str], into: Measured) -> None:
        if not self._signed:
            self._make()
        body, signature = self._signed.pop()
        headers = delivery_headers("push", signature)
        for url, found in zip(urls, (into.homeport, into.webhook), strict=True):
            found.append(seconds_to_answer(url, body, headers))


def seconds_to_answer(url: str, body: bytes, headers: dict[str, str]) -> float:
    """Over a new connection. Raises SystemExit if the answer is not 202."""
    parts = urlsplit(url)
    started = time.perf_counter()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        seconds = time.perf_counter() - started
    finally:
        connection.close()
    if answer.status != 202:
        raise SystemExit(f"{url} answered {answer.status}: {said!r}")
    return seconds


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def webhook(root: Path, secret: str) -> Iterator[str]:
    """The peer's URL: it runs `true` for each push to main with the right signature."""
    signed = {"type": "payload-hmac-sha256", "secret": secret, "parameter": {"source": "header", "name": SIGNATURE}}
    to_main = {"type": "value", "value": "refs/heads/main", "parameter": {"source": "payload", "name": "ref"}}
    hook = {
        "id": "push",
        "execute-command": shutil.which("true"),
        "success-http-response-code": 202,
        "trigger-rule-mismatch-http-response-code": 401,
        "trigger-rule": {"and": [{"match": signed}, {"match": to_main}]},
    }
    (root / "hooks.json").write_text(json.dumps([hook]))
    port = free_port()
    command = ["webhook", "-ip", "127.0.0.1", "-port", str(port), "-hooks", str(root / "hooks.json")]
    with process(command, root):
        wait_for(lambda: listens(port))
        yield f"http://127.0.0.1:{port}/hooks/push"


def make_repository(github: FakeGitHub, path: Path) -> Path:
    """A clone with the server in it, pushed to main."""
    shutil.copytree(SERVERS / KIND, path)
    git(path, "init", "--quiet", "--initial-branch=main")
    address = github.url.replace("http://", f"http://x-access-token:{github.token}@")
    git(path, "remote", "add", "origin", f"{address}/{github.name}.git")
    commit(path, "a server")
    return path


def is_settled(platform: Platform) -> bool:
    listed = platform.run("deployments", NAME)["deployments"]
    return bool(listed) and all(one["result"] not in ("waiting", "running") for one in listed)


def is_live(github: FakeGitHub, sha: str) -> bool:
    """Raises SystemExit if it failed."""
    states = [state for state, _ in github.statuses(sha)]
    if "failure" in states:
        raise SystemExit(f"the deploy failed: {github.statuses(sha)}")
    return "success" in states


def measure_idle(platform: Platform, deliveries: Deliveries, urls: tuple[str, str], pushes: int) -> Measured:
    found = Measured()
    for _ in range(pushes):
        wait_for(lambda: is_settled(platform))
        deliveries.measure(urls, found)
    return found


def measure_busy(
    github: FakeGitHub, repository: Path, deliveries: Deliveries, urls: tuple[str, str], commits: int
) -> Measured:
    """While each of so many commits is deployed, the first of which is on its way."""
    found = Measured()
    sha = git(repository, "rev-parse", "HEAD")
    for number in range(commits):
        if number:
            (repository / "server.py").open("a").write(f"# {number}\n")
            sha = commit(repository, f"number {number}")
            github.deliver("push", github.push(repository))
        while not is_live(github, sha):
            deliveries.measure(urls, found)
            time.sleep(PAUSE_S)
    return found


def measure(github: FakeGitHub, root: Path, options: argparse.Namespace) -> tuple[Measured, Measured]:
    """Idle, and while commits are deployed."""
    platform = Platform(root / "home")
    platform.environment |= {**github.environment, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    repository = make_repository(github, root / "repository")
    log_in(platform, github.token)
    platform.run("platform", "start")
    try:
        ours = f"{platform.run('platform', 'status')['api_url']}/github/webhook"
        platform.run("link-repo", github.repository_url, "--webhook-url", ours)
        deliveries = Deliveries(github, repository)
        with webhook(root, github.secret) as theirs:
            busy = measure_busy(github, repository, deliveries, (ours, theirs), options.commits)
            idle = measure_idle(platform, deliveries, (ours, theirs), options.pushes)
        return idle, busy
    finally:
        platform.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhook_answer", description=__doc__)
    parser.add_argument("--pushes", type=int, default=60, help="deliveries while nothing else is done")
    parser.add_argument("--commits", type=int, default=20, help="deployed while deliveries come")
    options = parser.parse_args()
    if shutil.which("webhook") is None:
        raise SystemExit("the peer is missing: apt-get install webhook")
    with folder("homeport-benchmark-") as root:
        (root / "github").mkdir()
        with fake.running(root / "github") as github:
            idle, busy = measure(github, root, options)
    idle.show("idle")
    busy.show("while commits are deployed")
    show_ratio("webhook_answer", idle.ratio, "each answer within 100 ms")


if __name__ == "__main__":
    main()
