"""Tests who deploys a project, and when a lock that was left is over."""

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
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.moto_server import Moto

GROUP = "/aws/lambda/homeport-locked"


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    found = AWS(None)
    found.logs.create_log_group(logGroupName=GROUP, tags={"homeport:project": "locked"})
    yield found
    found.logs.delete_log_group(logGroupName=GROUP)


def hold(aws: AWS, owner: str) -> None:
    aws.logs.create_log_stream(logGroupName=GROUP, logStreamName=f"homeport-deploy/{owner}")


def held(aws: AWS) -> list[str]:
    streams = aws.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    return [stream["logStreamName"] for stream in streams]


def ended() -> int:
    """Returns the number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_the_lock_of_a_process_that_lives_holds_and_that_of_another_does_not(
    aws: AWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_place", lambda: "here/1a")
    hold(aws, f"here/1a/{ended()}")
    with deploy_lock(aws, "locked"):
        assert held(aws) == [f"homeport-deploy/here/1a/{os.getpid()}"]
    assert held(aws) == []
    for owner in (f"here/1a/{os.getppid()}", "elsewhere/1"):
        hold(aws, owner)
        with pytest.raises(BusyError, match=owner), deploy_lock(aws, "locked"):
            pass
        with monkeypatch.context() as patch:
            # This makes it a quarter of an hour later.
            patch.setattr(lock, "STALE_S", -1.0)
            with deploy_lock(aws, "locked"):
                """It was left by somebody who was killed."""
        assert held(aws) == []


def test_the_same_number_in_another_container_is_another_process(aws: AWS, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers with one host name count their processes from 1."""
    monkeypatch.setattr(lock, "_place", lambda: "builder/1a")
    with deploy_lock(aws, "locked"):
        monkeypatch.setattr(lock, "_place", lambda: "builder/2b")
        with pytest.raises(BusyError) as caught, deploy_lock(aws, "locked"):
            pass
        hint = f"aws logs delete-log-stream --log-group-name {GROUP} --log-stream-name homeport-deploy/builder/1a/"
        assert hint in (caught.value.hint or "")
        monkeypatch.setattr(lock, "_place", lambda: "builder/1a")
    assert held(aws) == []


def test_a_place_is_this_host_and_its_processes() -> None:
    assert lock._place().split("/")[0] == socket.gethostname()


def test_nobody_destroys_a_project_while_it_is_deployed(aws: AWS) -> None:
    hold(aws, "elsewhere/1")
    with pytest.raises(BusyError):
        LambdaTarget(aws).destroy("locked")
    assert held(aws) == ["homeport-deploy/elsewhere/1"]
