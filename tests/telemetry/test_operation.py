"""Tests that whatever a server prints as an operation is counted as its own or dropped, and changes nothing else."""

from __future__ import annotations

import json

import pytest

from platform_cli.telemetry.operation import KINDS, Operation, called, read_operation
from platform_cli.telemetry.prometheus import MAX_SERIES, Counters

PARENT = "b7ad6b7169203331"
SAID = {"method": "prompts/get", "name": "hello", "client": "desk/1", "status": "ok", "ms": 1.5}


def read(**changes: object) -> Operation | None:
    found = read_operation(json.dumps({"operation": {**SAID, **changes}, "time": 1.0}))
    return found.operation if found else None


def test_an_operation_is_read() -> None:
    found = read(status="error", kind="protocol", code=-32603, bytes_in=7, bytes_out=9, protocol="2025-11-25")
    assert found == Operation(
        "prompts/get", "hello", "desk/1", "protocol", 1.5, False, -32603, 7, 9, "2025-11-25", None, None
    )


@pytest.mark.parametrize(
    ("said", "time"), [({"time": 7.5}, 7.5), ({}, None), ({"time": "7"}, None), ({"time": 2.0**33}, None)]
)
def test_when_it_was_answered(said: dict[str, object], time: float | None) -> None:
    found = read_operation(json.dumps({"operation": SAID, **said, "release": "v2"}))
    assert found
    assert (found.time, found.release) == (time, "v2")


@pytest.mark.parametrize("ms", [-1, 1e308, float("nan"), True, "1", None, []])
def test_what_took_an_impossible_time_is_none(ms: object) -> None:
    assert read(ms=ms) is None


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"operation":7}', b'{"operation":' + b"[" * 100_000])
def test_what_is_none(line: bytes) -> None:
    assert read_operation(line) is None


def test_what_is_forged_is_bounded() -> None:
    found = read(method="evil/\x1b", name="A" * 4_000_000, client=[1], status={}, kind="ok", code=2**70, bytes_out=-5)
    assert found is not None
    assert (found.method, len(found.name or ""), found.client) == ("_OTHER", 128, "unknown")
    assert (found.kind, found.code, found.bytes_out) == ("error", None, 0)
    assert found.kind in KINDS
    ids = [read(trace=trace, parent=PARENT) for trace in ("x" * 32, "0" * 32, "a" * 33, 7, None)]
    assert all(each and (each.trace, each.parent) == (None, None) for each in ids)
    hostile = read(name="\x1b]0;x\x07\ud800\n")
    assert hostile is not None
    assert (hostile.name or "").isprintable()


def test_a_call_of_an_earlier_runtime_is_read() -> None:
    call = {"tool": "add", "client": "x", "status": "error", "ms": 2.0, "start": "cold"}
    found = called({"time": 1.0, "level": "info", "message": "", "release": "v1", "call": call})  # type: ignore[typeddict-item]
    assert found is not None
    assert (found.method, found.name, found.kind, found.cold) == ("tools/call", "add", "error", True)


def test_open_metrics_has_the_newest_trace_of_each_bucket() -> None:
    counters = Counters()
    for trace, ms in (("a" * 32, 15.0), ("b" * 32, 16.0), (None, 17.0), ("c" * 32, 1e9)):
        counters.count("shop", Operation("tools/call", "add", "c", "ok", ms, trace=trace))
    lines = counters.text({}, 0, open_metrics=True).splitlines()
    shown = {line.partition(" # ")[0][-12:]: line.partition(" # ")[2] for line in lines if " # " in line}
    assert [text.rpartition(" ")[0] for text in shown.values()] == [
        f'{{trace_id="{"b" * 32}"}} 0.016000',
        f'{{trace_id="{"c" * 32}"}} 1000000.000000',
    ]
    assert (lines[-1], lines[-2]) == ("# EOF", "homeport_operations_lost_total 0")
    assert "# TYPE homeport_operations_lost counter" in lines
    assert "trace_id" not in counters.text({}, 0)


def test_labels_are_escaped_and_bounded() -> None:
    counters = Counters()
    for number in range(MAX_SERIES + 50):
        counters.count("shop", Operation("tools/call", f'a"\\\n{number}', "c", "ok", 15.0))
    text = counters.text({"shop": 2}, 0)
    assert 'gen_ai_tool_name="a\\"\\\\\\n7"' in text
    assert text.count("_count{") == MAX_SERIES + 1
    assert 'gen_ai_tool_name="_OTHER"} 50\n' in text
    assert 'le="0.01"} 0\n' in text
    assert 'homeport_workers{project="shop"} 2' in text
    counters.forget("shop")
    assert "_count{" not in counters.text({}, 0)
