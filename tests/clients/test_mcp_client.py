from __future__ import annotations

import pytest

from platform_cli.clients.mcp_client import check_url
from platform_cli.errors import InputError


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("http://127.0.0.1:8700", "http://127.0.0.1:8700/mcp"),
        ("http://127.0.0.1:8700/", "http://127.0.0.1:8700/mcp"),
        ("https://example.com?key=1", "https://example.com/mcp?key=1"),
        ("http://[::1]:8700/sse", "http://[::1]:8700/sse"),
        ("https://example.com/a/mcp/", "https://example.com/a/mcp/"),
    ],
)
def test_a_url_without_a_path_gets_one(typed: str, url: str) -> None:
    assert check_url(typed) == url


@pytest.mark.parametrize(
    "typed", ["://", "file:///mcp", "http:///mcp", "http://a:x/", "http://[::1/", "http://a:99999"]
)
def test_what_is_no_http_url_is_refused(typed: str) -> None:
    with pytest.raises(InputError, match="is not the URL of an MCP server"):
        check_url(typed)
