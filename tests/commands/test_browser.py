from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import pytest

from platform_cli.commands.browser import open_if_seen

LINK = "http://127.0.0.1:8699/console#login=secret&more"


@pytest.mark.parametrize(
    ("environment", "is_terminal", "opens"),
    [
        ({"DISPLAY": ":0"}, True, True),
        ({"DISPLAY": ":0"}, False, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "1"}, True, False),
        ({}, True, sys.platform == "darwin"),
    ],
)
def test_a_link_is_opened_where_somebody_sees_it_and_is_no_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], is_terminal: bool, opens: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal, raising=False)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "page.html"
    open_if_seen(LINK, file)
    assert opened == ([file.as_uri()] if opens else [])
    assert file.exists() is opens
    if opens:
        assert file.stat().st_mode & 0o077 == 0
        assert LINK.replace("&", "&amp;") in file.read_text()
