"""Tests that the record of a call is a document of which CloudWatch makes metrics, and that strangers make none."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from homeport_runtime import telemetry
from homeport_runtime.guard.calls import CallRecord
from homeport_runtime.hosts.aws_lambda.metrics import metrics_in
from homeport_runtime.telemetry.scrub import Scrubber

SCOPE: Any = {"type": "http", "headers": []}


def call(tool: str, **answer: Any) -> dict[str, Any]:
    """Returns the record of a call as it is written on Lambda."""
    reading, writing = os.pipe()
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}
    kept = os.dup(1)
    os.dup2(writing, 1)
    try:
        record = CallRecord(SCOPE, message, "0123456789abcdef", cold=False, tools=("add",))
        record._write("error" if answer else "ok", answer or None)
    finally:
        os.dup2(kept, 1)
        for descriptor in (kept, writing):
            os.close(descriptor)
    with os.fdopen(reading) as file:
        said: dict[str, Any] = json.loads(file.read())
    return said


@pytest.fixture(autouse=True)
def _on_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_scrubber", Scrubber({}))
    monkeypatch.setattr(telemetry, "_raw", None)
    monkeypatch.setattr(telemetry, "_origin", '"project":"shop","release":"v3"')
    monkeypatch.setattr(telemetry, "_extensions", [metrics_in])


def test_a_call_is_a_metric() -> None:
    record = call("add")
    (directive,) = record["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["project"], ["project", "tool"]]
    assert {"project", "tool"} <= record.keys(), "what a dimension names is a member of the document"
    assert all(isinstance(record[metric["Name"]], int | float) for metric in directive["Metrics"])
    assert (record["tool"], record["failed"], record["duration"]) == ("add", 0, record["call"]["ms"])
    assert isinstance(record["_aws"]["Timestamp"], int)


def test_names_of_strangers_make_no_metric() -> None:
    record = call("made up", error={"code": -32602, "message": "Unknown tool: made up"})
    assert record["call"]["kind"] == "unknown"
    assert (record["tool"], record["failed"]) == ("_OTHER", 1)


@pytest.mark.parametrize("record", ["{}", '{"call":{}}', '{"call":{"tool":"a"', '{"message":"\\"call\\":{"}'])
def test_other_records_are_left_alone(record: str) -> None:
    assert metrics_in(record) == ""
