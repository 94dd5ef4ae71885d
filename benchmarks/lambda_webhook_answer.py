"""From a push's delivery to its answer, at the platform on AWS as the tests' emulators are it: cold and warm.

The peer is what one writes by hand with the same packages: a handler under awslambdaric that checks the signature and
sends the body to the queue by boto3. It knows no repositories and remembers nothing, while homeport reads its links and
their secret, writes the push into its table, and then wakes the builder. The calls of AWS are answered by moto, which
is slower than AWS; so what is measured is where homeport's own time goes, not what GitHub would see.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.aws.control_plane import ControlPlane, control_plane
from tests.aws.function_url import DOMAIN, FunctionURL
from tests.aws.sandbox import machine
from tests.clients import environments
from tests.github import fake
from tests.github.conftest import log_in
from tests.github.fake import FakeGitHub, delivery_headers
from tests.support import Platform

from .harness import folder, show, show_ratio
from .lambda_functions import check_emulator
from .webhook_answer import make_repository, seconds_to_answer

WEB = "homeport_platform_web"
PEER = """
import hashlib
import hmac
import os

import boto3

queue = boto3.client("sqs")


def handler(event, context):
    body, headers = event["body"], event["headers"]
    signature = "sha256=" + hmac.new(os.environ["SECRET"].encode(), body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, headers["x-hub-signature-256"]):
        return {"statusCode": 401}
    queue.send_message(
        QueueUrl=os.environ["HOMEPORT_QUEUE_URL"],
        MessageBody=body,
        MessageGroupId="push",
        MessageDeduplicationId=headers["x-github-delivery"],
    )
    return {"statusCode": 202, "body": "{}"}
"""


def link(plane: ControlPlane, github: FakeGitHub, root: Path) -> Path:
    """A platform that a repository is linked to, and the repository's clone."""
    laptop = Platform(root / "home")
    laptop.environment |= {**plane.moto.environment, **github.environment}
    laptop.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    laptop.home.mkdir()
    for name in ("layers", "cache"):
        # As the tests keep them: homeport's own packages are the same for every run.
        kept = environments.cache_folder() / "homeport" / name
        kept.mkdir(parents=True, exist_ok=True)
        (laptop.home / name).symlink_to(kept)
    log_in(laptop, github.token)
    url = laptop.run("platform", "deploy", "--target", "lambda", "--architecture", machine())["url"]
    github.reach = lambda address: address.replace(f"http://{DOMAIN}/", f"{url}/")
    repository = make_repository(github, root / "repository")
    laptop.environment["HOMEPORT_PLATFORM"] = url
    laptop.run("link-repo", github.repository_url)
    return repository


def by_hand(front: FunctionURL, secret: str, root: Path) -> FunctionURL:
    """The peer, with the packages of homeport's function."""
    function, task = front.function, root / "peer" / "task"
    task.mkdir(parents=True)
    (task / "peer.py").write_text(PEER)
    command = (*(function.command or ())[:-1], "peer.handler")
    variables = {**function.variables, "SECRET": secret}
    return FunctionURL(replace(function, task=task, variables=variables, command=command), root / "peer")


def measure(front: FunctionURL, deliver: Callable[[str], float], options: argparse.Namespace) -> tuple[float, float]:
    """Median seconds, cold and warm."""
    url = f"{front.url}/github/webhook"
    front.fresh = True
    cold = [deliver(url) for _ in range(options.cold)]
    front.fresh = False
    return statistics.median(cold), statistics.median(deliver(url) for _ in range(options.warm))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lambda_webhook_answer", description=__doc__)
    parser.add_argument("--cold", type=int, default=7, help="deliveries, each to a new sandbox")
    parser.add_argument("--warm", type=int, default=30)
    options = parser.parse_args()
    check_emulator()
    with folder("homeport-benchmark-") as root, control_plane(root) as plane:
        (root / "github").mkdir()
        with fake.running(root / "github") as github:
            repository = link(plane, github, root)
            count = 2 * (options.cold + options.warm)
            bodies = [json.dumps(github.push(repository, after=f"{number:040x}")).encode() for number in range(count)]
            signed = zip(bodies, github.sign(bodies), strict=True)

            def deliver(url: str) -> float:
                body, signature = next(signed)
                return seconds_to_answer(url, body, delivery_headers("push", signature))

            ours = plane.function(WEB, "$LATEST")
            theirs = by_hand(ours, github.secret, root)
            measured = [measure(front, deliver, options) for front in (ours, theirs)]
            theirs.close()
    for name, (cold, warm) in zip(("homeport", "by hand"), measured, strict=True):
        show(f"{name}: cold {cold * 1000:.0f} ms, warm {warm * 1000:.0f} ms")
    show_ratio("lambda_webhook_answer, cold", measured[0][0] / measured[1][0], "100 ms; AWS is emulated")


if __name__ == "__main__":
    main()
