"""Tests logs that are followed."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace
from typing import Any

import pytest

from homeport_runtime.guard.audit_chain import AuditChain
from platform_cli.api.audit_query import AuditQuery
from platform_cli.audit.instances import selected, verify_instances
from platform_cli.log_query import LogQuery
from platform_cli.targets.aws_lambda import logs
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.logs import OVERLAP_MS, filter_pattern, read_audit, read_logs
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
    followed = read_logs(aws, "followed", follow=True, query=LogQuery())
    assert [next(followed)["message"], next(followed)["message"]] == ["first", "late"]
    assert looked_from == [0, *[now - OVERLAP_MS] * QUIET_ROUNDS]
    aws.logs.delete_log_group(**GROUP)


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-29T08:00:00.000Z 7f3c Task timed out after 3.00 seconds",
        "RequestId: 7f3c Error: Runtime exited with error: signal: killed Runtime.ExitError",
        "REPORT RequestId: 7f3c Duration: 9 ms Max Memory Used: 128 MB Status: error Error Type: Runtime.OutOfMemory",
        "INIT_REPORT Init Duration: 9999.01 ms Phase: init Status: timeout",
        '{"time":1,"level":"error","message":"x","release":"v1"}',
    ],
)
def test_what_failed_is_found_by_its_level(line: str) -> None:
    """CloudWatch looks for it first, and sends nothing else."""
    query = LogQuery(level="error")
    assert re.search(filter_pattern(query).strip("%"), line)
    assert query.wants(logs._record({"message": line, "timestamp": 1}))


def test_cloudwatch_is_asked_for_what_leaves_the_least() -> None:
    patterns = [
        filter_pattern(query)
        for query in (
            LogQuery(),
            LogQuery(level="info", release="v2"),
            LogQuery(level="warning", grep="needle", release="v2"),
            # More than a word: CloudWatch's expressions are others than Python's.
            LogQuery(level="error", grep="a.b"),
        )
    ]
    assert patterns == ["", "%v2%", "%needle%", "%error|timed|timeout|Runtime|killed%"]
    ordinary = "REPORT RequestId: 7f3c Duration: 9.00 ms Billed Duration: 9 ms Max Memory Used: 99 MB"
    assert not LogQuery(level="warning").wants(logs._record({"message": ordinary, "timestamp": 1}))


def test_the_audit_log_of_each_instance_is_read_and_verified(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    aws, group, now = AWS(None), "/aws/lambda/homeport-audited", int(time.time() * 1000)
    said = (
        '{"audit":{"client_id":"cursor","user_id":null,"scopes_used":[],"tool_name":"add","arguments":{"a":1},'
        '"ip_address":"192.0.2.1","method":"tools/call","request":"0011223344556677","result":"success","ms":1.5},'
        f'"time":{time.time():.3f}}}'
    )
    first, second = AuditChain("audited", "v1"), AuditChain("audited", "v1")
    for chain in (first, second, first):
        chain.write(said)
    lines = capfd.readouterr().out.splitlines()
    record = '{"time":1,"level":"info","message":"printed by an instance","release":"v1"}'
    aws.logs.create_log_group(logGroupName=group)
    for stream, messages in (("one", [lines[0], record, lines[2]]), ("two", [lines[1]])):
        aws.logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now, "message": message} for message in messages]
        aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    found = list(read_audit(aws, "audited", 0.0))
    assert sorted(found) == sorted(line.encode() for line in lines)
    assert [entry["tool_name"] for entry in selected(found, AuditQuery(client="cur*"))] == ["add"] * 3
    assert verify_instances("audited", found)["ok"]
    assert verify_instances("audited", found)["lines"] == 3
    broken = verify_instances("audited", [line.replace(b"cursor", b"nobody") for line in found])
    assert (broken["ok"], broken["broken_at"]) == (False, 1)
    assert verify_instances("audited", [lines[2].encode()])["ok"], "older lines are not kept any more"
    records = read_logs(aws, "audited", follow=False, query=LogQuery())
    assert [each["message"] for each in records] == ["printed by an instance"]
    aws.logs.delete_log_group(logGroupName=group)
