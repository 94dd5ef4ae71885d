"""Commands of one version, a platform of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli import __version__
from platform_cli.controlplane import client
from platform_cli.controlplane.client import PlatformClient
from platform_cli.errors import PlatformError
from platform_cli.home import Home


def test_an_older_command_leaves_a_newer_platform_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlatformClient, "_request", lambda *_: {"version": "999.0", "pid": 1})
    monkeypatch.setattr(PlatformClient, "stop", lambda _: pytest.fail("it was stopped"))
    with pytest.raises(PlatformError) as caught:
        PlatformClient(Home(tmp_path)).begin_start()
    assert "999.0" in caught.value.message
    assert __version__ in caught.value.message


def test_an_older_platform_may_be_replaced() -> None:
    client._check_is_older("0.0.1")
