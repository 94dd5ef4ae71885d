"""Tests the errors of a project on Lambda, which are in the log that its instances write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from platform_cli.errors import InputError, NotFoundError
from platform_cli.log_query import LogQuery
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.errors import read_errors
from platform_cli.targets.aws_lambda.logs import read_logs
from platform_cli.targets.aws_lambda.projects import LambdaProjects
from platform_cli.targets.log_errors import group_of, groups_of
from tests.aws.moto_server import Moto

GROUP = {"logGroupName": "/aws/lambda/homeport-erring"}
FRAME = {
    "file": "server.py", "function": "find", "line": 7, "own": True, "source": ["a", "return table[key]"], "start": 6,
}  # fmt: skip


def record(message: str, function: str = "find", release: str = "v1") -> str:
    error: dict[str, Any] = {
        "type": "KeyError", "message": message, "method": "tools/call", "name": "boom", "request": "0123456789abcdef",
        "frames": [{**FRAME, "function": function}],
    }  # fmt: skip
    said = {"error": error, "time": 1.0, "project": "erring", "release": release}
    return json.dumps(said, separators=(",", ":"))


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    made = AWS(None)
    made.logs.create_log_group(**GROUP)
    made.logs.create_log_stream(**GROUP, logStreamName="one")
    yield made
    made.logs.delete_log_group(**GROUP)


def test_what_the_instances_wrote_is_grouped(aws: AWS) -> None:
    now = time.time()
    lines = [
        record("'no 1'"), record("other", "seek"), record("'no 2'", release="v2"), record("odd", "odd", "x"),
        '{"error":{"frames":7}}', "frames of somebody", '{"time":1.0,"level":"info","message":"hi","release":"v1"}',
    ]  # fmt: skip
    events = [{"timestamp": int(now * 1000) + at, "message": line} for at, line in enumerate(lines)]
    aws.logs.put_log_events(**GROUP, logStreamName="one", logEvents=events)

    groups = groups_of("erring", read_errors(aws, "erring", now - 60))
    assert {group["id"]: group["count"] for group in groups} == {1: 2, 2: 1, 3: 1}
    found = group_of("erring", read_errors(aws, "erring", now - 60), 1)
    assert (found["type"], found["message"], found["where"]) == ("KeyError", "'no 2'", "server.py:7")
    assert (found["first_release"], found["last_release"], found["state"]) == ("v1", "v2", "open")
    assert found["samples"][0]["frames"][0]["source"][1] == "return table[key]"
    with pytest.raises(NotFoundError, match="no error 9"):
        group_of("erring", read_errors(aws, "erring", now - 60), 9)

    logged = [each["message"] for each in read_logs(aws, "erring", follow=False, query=LogQuery())]
    assert logged == ["frames of somebody", "hi"], "errors are no lines of the log"


def test_what_needs_a_platform(aws: AWS) -> None:
    with pytest.raises(InputError, match="only a platform"):
        LambdaProjects(aws).change_error("erring", 1, "resolved")
