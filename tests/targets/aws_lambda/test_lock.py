"""Who deploys a project, and when a lock that was left is over."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from platform_cli.errors import BusyError
from platform_cli.targets.aws_lambda import lock
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.lock import deploy_lock
from tests.aws.moto_server import Moto

GROUP = "/aws/lambda/homeport-locked"


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    found = AWS(None)
    found.logs.create_log_group(logGroupName=GROUP)
    yield found
    found.logs.delete_log_group(logGroupName=GROUP)


def ended() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_the_lock_of_a_process_that_lives_holds_and_that_of_another_does_not(
    aws: AWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold(owner: str) -> None:
        aws.logs.create_log_stream(logGroupName=GROUP, logStreamName=f"homeport-deploy/{owner}")

    def held() -> list[str]:
        streams = aws.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
        return [stream["logStreamName"] for stream in streams]

    hold(f"{socket.gethostname()}/{ended()}")
    with deploy_lock(aws, "locked"):
        assert held() == [f"homeport-deploy/{socket.gethostname()}/{os.getpid()}"]
    assert held() == []
    for owner in (f"{socket.gethostname()}/{os.getppid()}", "elsewhere/1"):
        hold(owner)
        with pytest.raises(BusyError, match=owner), deploy_lock(aws, "locked"):
            pass
        with monkeypatch.context() as patch:
            # As it is a quarter of an hour later.
            patch.setattr(lock, "STALE_S", -1.0)
            with deploy_lock(aws, "locked"):
                """It was left by somebody who was killed."""
        assert held() == []
