"""Logs that are followed."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from platform_cli.targets.aws_lambda import logs
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.logs import OVERLAP_MS, read_logs
from tests.aws.moto_server import Moto

GROUP = {"logGroupName": "/aws/lambda/homeport-followed"}
QUIET_ROUNDS = 3


def test_who_follows_sees_each_event_once_and_looks_back_no_further_than_it_must(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    aws, now = AWS(None), int(time.time() * 1000)
    aws.logs.create_log_group(**GROUP)
    aws.logs.create_log_stream(**GROUP, logStreamName="one")

    def put(at: int, message: str) -> None:
        events = [{"timestamp": at, "message": message}]
        aws.logs.put_log_events(**GROUP, logStreamName="one", logEvents=events)

    looked_from: list[int] = []

    def looked(params: dict[str, Any], **_: object) -> None:
        looked_from.append(params["startTime"])

    def sleep(_seconds: float) -> None:
        if len(looked_from) == QUIET_ROUNDS:
            put(now - OVERLAP_MS // 2, "late")

    aws.logs.meta.events.register("provide-client-params.cloudwatch-logs.FilterLogEvents", looked)
    monkeypatch.setattr(logs, "time", SimpleNamespace(sleep=sleep))
    put(now, "first")
    followed = read_logs(aws, "followed", follow=True)
    assert [next(followed)["message"], next(followed)["message"]] == ["first", "late"]
    assert looked_from == [0, *[now - OVERLAP_MS] * QUIET_ROUNDS]
    aws.logs.delete_log_group(**GROUP)
