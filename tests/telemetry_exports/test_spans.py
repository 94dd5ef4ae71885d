"""Tests which operations are read for export: each once, whatever happens to the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.telemetry.store import RAW_S, TelemetryStore
from platform_cli.telemetry_exports import spans
from platform_cli.telemetry_exports.cursors import Cursors, SpanCursor
from platform_cli.telemetry_exports.spans import read_spans
from tests.telemetry.stored import NOW, happened

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
START = SpanCursor(0, 0.0)


def test_export_begins_with_what_happens_from_now_on(store: TelemetryStore, path: Path) -> None:
    store.write([happened()] * 3)
    first = read_spans(path, None, 10)
    assert (first.size, first.end) == (0, SpanCursor(3, NOW))
    store.write([happened("later", kind="protocol", code=-32602, ms=500.0)])
    batch = read_spans(path, first.end, 10)
    (span,) = batch.spans["shop"]
    assert (span.name, span.error) == ("tools/call later", "protocol")
    assert span.end - span.start == pytest.approx(0.5)
    assert (span.attributes["error.type"], span.attributes["rpc.response.status_code"]) == ("-32602", "-32602")


def test_a_span_is_below_that_of_its_caller(store: TelemetryStore, path: Path) -> None:
    store.write([happened(trace=TRACE, parent=PARENT), happened(trace=TRACE), happened()])
    below, other, alone = read_spans(path, START, 10).spans["shop"]
    assert (below.trace, below.parent) == (TRACE, PARENT)
    assert (other.trace, other.parent, alone.parent) == (TRACE, None, None)


def test_each_is_read_once(store: TelemetryStore, path: Path) -> None:
    store.write(happened(str(number), at=NOW + number, project=f"p{number % 2}") for number in range(7))
    seen, at = [], START
    while (batch := read_spans(path, at, 3)).size:
        seen += [span.name for found in batch.spans.values() for span in found]
        at = batch.end
    assert sorted(seen) == [f"tools/call {number}" for number in range(7)]


@pytest.mark.parametrize("how", ["forget", "clean"])
def test_no_number_is_given_again(store: TelemetryStore, path: Path, how: str) -> None:
    """A collector that lags would else take new operations for ones that it has."""
    store.write([happened(at=NOW), *[happened(at=NOW + 1, project="gone")] * 5])
    at = read_spans(path, START, 10).end
    if how == "forget":
        store.forget("gone")
    else:
        store.clean(NOW + RAW_S + 60)
    later = NOW + RAW_S + 90
    store.write([happened(str(number), at=later) for number in range(7)])
    assert len(read_spans(path, at, 10).spans["shop"]) == 7
    store.clean(later)
    assert len(read_spans(path, START, 10).spans["shop"]) == 7
    store.forget("shop")
    assert read_spans(path, at, 10).size == 0


def test_another_file_begins_anew(store: TelemetryStore, path: Path) -> None:
    store.write([happened("new", at=NOW + 2)])
    assert [span.name for span in read_spans(path, SpanCursor(6, NOW + 1), 10).spans["shop"]] == ["tools/call new"]


def test_no_more_wait_for_a_collector_than_it_can_be_sent(
    store: TelemetryStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "MAX_BEHIND", 2)
    store.write(happened(str(number)) for number in range(5))
    batch = read_spans(path, START, 10)
    assert (batch.size, batch.lost) == (2, 3)


@pytest.mark.parametrize("text", ["", "{}", '{"spans": [1], "logs": {}}', '{"spans": null, "logs": {"a": 1}}'])
def test_a_broken_file_of_cursors_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "otlp.json"
    path.write_text(text)
    assert Cursors.read(path) == Cursors(path)
    known = Cursors(path, SpanCursor(7, 1.5))
    known.write()
    assert Cursors.read(path) == known
