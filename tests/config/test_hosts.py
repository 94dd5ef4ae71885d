from __future__ import annotations

import pytest

from platform_cli.config.hosts import domains, is_public, origins


def test_names_of_the_internet_and_of_a_home_network() -> None:
    given = [
        "MCP.example.com",
        "raspberrypi",
        "my_box.lan",
        "host.docker.internal",
        "192.168.1.20",
        "[FD00::20]",
        "::1",
    ]
    found = domains(given)
    assert found == (
        "mcp.example.com", "raspberrypi", "my_box.lan", "host.docker.internal", "192.168.1.20", "fd00::20", "::1",
    )  # fmt: skip
    assert [host for host in found if is_public(host)] == ["mcp.example.com"]


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="the same host name twice"):
        domains(["fd00::1", "[FD00:0::1]"])


def test_origins_of_pages_apps_and_extensions() -> None:
    given = [
        "https://App.example.com/", "http://192.168.1.2:3000", "http://[::1]:80", "app://obsidian.md", "file://",
        "null", "chrome-extension://abcdef", "vscode-webview://",
    ]  # fmt: skip
    assert origins(given) == (
        "https://app.example.com", "http://192.168.1.2:3000", "http://[::1]:80", "app://obsidian.md", "file://", "null",
        "chrome-extension://abcdef", "vscode-webview://",
    )  # fmt: skip


@pytest.mark.parametrize(
    "origin",
    ["*", "", "example.com", "https://", "https://a/b", "https://*.a.de", "https://a:x", "https://u@a", "a b://c"],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        origins([origin])
