"""Tests the metrics of a project on Lambda, which are in the log that its instances write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from homeport_runtime.guard import calls
from homeport_runtime.guard.calls import CallRecord
from homeport_runtime.guard.operations import OperationRecord
from platform_cli.errors import InputError
from platform_cli.targets import log_metrics
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.metrics import read_operations
from platform_cli.targets.log_metrics import metrics_of
from tests.aws.moto_server import Moto

GROUP = {"logGroupName": "/aws/lambda/homeport-measured"}
SCOPE: Any = {"type": "http", "headers": [(b"user-agent", b"desk/1.0")]}


def message(method: str, name: str | None = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": name} if name else {}}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Holds what the runtime writes on Lambda."""
    lines: list[str] = []

    def write(*records: str) -> None:
        lines.extend(f'{record[:-1]},"project":"measured","release":"v3"}}' for record in records)

    monkeypatch.setattr(calls, "write_record", write)
    return lines


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    made = AWS(None)
    made.logs.create_log_group(**GROUP)
    made.logs.create_log_stream(**GROUP, logStreamName="one")
    yield made
    made.logs.delete_log_group(**GROUP)


def test_what_the_instances_wrote_is_summed_up(aws: AWS, written: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        CallRecord(SCOPE, message("tools/call", "add"), "0123456789abcdef", cold=True)._write("ok", None)
    OperationRecord(SCOPE, message("tools/list"), "0123456789abcdef", 10, None, None)._write("ok", None)
    assert len(written) == 4
    now = time.time()
    others = ["START RequestId: 1", '{"call": 1}', '{"operation": {"ms": "x"}}', "a call of somebody"]
    events = [{"timestamp": int(now * 1000), "message": line} for line in [*written, *others]]
    aws.logs.put_log_events(**GROUP, logStreamName="one", logEvents=events)

    found = metrics_of("measured", read_operations(aws, "measured", now - 60), now - 60, now + 60, "tool")
    assert {row["key"]: (row["operations"], row["cold"]) for row in found["rows"]} == {
        "add": (3, 3),
        "tools/list": (1, 0),
    }
    assert found["total"]["p95"] is not None
    releases = metrics_of("measured", read_operations(aws, "measured", now - 60), now - 60, now + 60, "release")
    assert [row["key"] for row in releases["rows"]] == ["v3"]

    monkeypatch.setattr(log_metrics, "MAX_READ", 3)
    with pytest.raises(InputError, match="more than 3"):
        metrics_of("measured", read_operations(aws, "measured", now - 60), now - 60, now + 60, "tool")
