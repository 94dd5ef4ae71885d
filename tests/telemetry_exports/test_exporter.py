"""Tests that what is wrong with one signal holds up no other, and ends no export."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from platform_cli.home import Home
from platform_cli.telemetry.prometheus import Counted
from platform_cli.telemetry_exports.exporter import Exporter, Sources
from tests.otlp.collector import collector

LIMIT_S = 60.0


@pytest.mark.anyio
async def test_a_signal_that_cannot_be_made_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tries = 0

    def counted() -> list[Counted]:
        nonlocal tries
        tries += 1
        raise ValueError("what nobody thought of")

    with collector() as running:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": running.url, "OTEL_METRIC_EXPORT_INTERVAL": "10"}
        sources = Sources(dict, counted)
        exporting = asyncio.create_task(Exporter(Home(tmp_path), sources, environment).work())
        async with asyncio.timeout(LIMIT_S):
            while tries < 3 and not exporting.done():
                await asyncio.sleep(0.01)
        assert not exporting.done()
        exporting.cancel()
        await asyncio.wait({exporting})
    assert capsys.readouterr().err == "OpenTelemetry: metrics are not taken: ValueError\n"
