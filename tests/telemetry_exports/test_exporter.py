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


@pytest.mark.anyio
async def test_a_log_that_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    home = Home(tmp_path)
    names = ["broken", "well"]
    with collector() as running:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": running.url, "OTEL_BLRP_SCHEDULE_DELAY": "10"}
        sources = Sources(lambda: dict.fromkeys(names, 1), list)
        exporting = asyncio.create_task(Exporter(home, sources, environment).work())
        async with asyncio.timeout(LIMIT_S):
            while not running.logs and not exporting.done():
                for name in names:
                    logs = home.project(name) / "logs"
                    logs.mkdir(parents=True, exist_ok=True)
                (home.project("broken") / "logs" / "00000001.jsonl").mkdir(exist_ok=True)
                with (home.project("well") / "logs" / "00000001.jsonl").open("a") as file:
                    file.write('{"time": 1.0, "level": "info", "release": "v1", "worker": 1, "message": "hello"}\n')
                await asyncio.sleep(0.05)
        assert not exporting.done()
        exporting.cancel()
        await asyncio.wait({exporting})
    assert {each.body.string_value for each in running.logs} == {"hello"}
