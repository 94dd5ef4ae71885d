"""Makes a store of operations, and says where its file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.telemetry.store import TelemetryStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "telemetry.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[TelemetryStore]:
    opened = TelemetryStore(path)
    yield opened
    opened.close()
