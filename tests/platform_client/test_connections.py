from __future__ import annotations

import stat
from pathlib import Path

import pytest

from platform_cli.errors import InputError
from platform_cli.home import Home
from platform_cli.platform_client.connections import Remote, check_url, find_remote, keep_token


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("https://MCP.example.com:8443/", "https://mcp.example.com:8443"),
        ("http://127.0.0.1:8699", "http://127.0.0.1:8699"),
        ("http://[::1]:8699", "http://[::1]:8699"),
        ("http://localhost:8699", "http://localhost:8699"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    assert check_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["", "mcp.example.com", "ftp://mcp.example.com", "https://", "https://x/path", "https://x?a=b", "https://x#a",
     "https://user:pass@x", "https://x:0", "https://x:70000", "https://[::1"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError):
        check_url(text)


@pytest.mark.parametrize("text", ["http://mcp.example.com", "http://10.0.0.1:8699", "http://localhost.example.com"])
def test_a_token_never_crosses_a_network_readable(text: str) -> None:
    with pytest.raises(InputError) as caught:
        check_url(text)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("use https://")


def test_the_token_comes_from_the_environment_or_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOMEPORT_TOKEN", raising=False)
    home, url = Home(tmp_path), "https://mcp.example.com"
    with pytest.raises(InputError) as caught:
        find_remote(url, home)
    assert f"homeport platform login {url}" in (caught.value.hint or "")
    keep_token(url, "kept", home)
    keep_token("https://other.example.com", "other", home)
    assert find_remote(f"{url}/", home).token == "kept"
    monkeypatch.setenv("HOMEPORT_TOKEN", "given")
    assert find_remote(url, home).token == "given"
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_tokens_that_no_header_can_carry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for token in ("a\r\nX: y", "a b", "ä"):
        monkeypatch.setenv("HOMEPORT_TOKEN", token)
        with pytest.raises(InputError) as caught:
            find_remote("https://mcp.example.com", Home(tmp_path))
        assert token not in str(caught.value)


def test_a_token_does_not_show() -> None:
    assert "secret" not in repr(Remote("https://x.y", "secret"))
