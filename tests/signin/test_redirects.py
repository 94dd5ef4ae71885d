"""Tests which redirect URIs are taken, and what counts as the same one."""

from __future__ import annotations

import pytest

from platform_cli.signin.redirects import is_registered, may_register, place_of

CLAUDE_CODE = ("http://localhost/callback", "http://127.0.0.1/callback")


@pytest.mark.parametrize(
    "uri",
    [
        "https://claude.ai/api/mcp/auth_callback",
        "http://localhost:3118/callback",
        "http://127.0.0.1:33418",
        "http://[::1]:8080/x?y=1",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "com.example.app:/callback",
    ],
)
def test_allowed(uri: str) -> None:
    assert may_register(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "javascript://localhost/%0aalert(1)",
        "JavaScript://localhost/%0aalert(1)",
        "data://text/html,x",
        "file://localhost/etc/passwd",
        "vbscript://x/",
        "http://example.com/callback",
        "http://localhost.example.com/callback",
        "http://127.0.0.1.nip.io/callback",
        "//evil.example/callback",
        "https://user@claude.ai/callback",
        "https://claude.ai/callback#fragment",
        "https://claude.ai\\@evil.example/",
        "https:///callback",
        "http://localhost:99999/callback",
        "https://claude.ai/call back",
        "https://claude.ai/call\nback",
        'https://claude.ai/"><script>',
        "mailto:me@example.com",
        "app:/callback",
        "callback",
        "",
        None,
        7,
    ],
)
def test_refused(uri: object) -> None:
    assert not may_register(uri)


@pytest.mark.parametrize(
    ("uri", "registered"),
    [
        ("http://localhost:53211/callback", CLAUDE_CODE),
        ("http://127.0.0.1:1/callback", CLAUDE_CODE),
        ("http://[::1]:5/x", ("http://[::1]/x",)),
        ("cursor://anysphere.cursor-mcp/oauth/callback", ("cursor://anysphere.cursor-mcp/oauth/callback",)),
    ],
)
def test_the_same(uri: str, registered: tuple[str, ...]) -> None:
    assert is_registered(uri, registered)


@pytest.mark.parametrize(
    ("uri", "registered"),
    [
        ("http://localhost:53211/callback/", CLAUDE_CODE),
        ("http://localhost:53211/other", CLAUDE_CODE),
        ("http://localhost:53211/callback?x=1", CLAUDE_CODE),
        ("https://localhost:53211/callback", CLAUDE_CODE),
        ("http://[::1]:53211/callback", CLAUDE_CODE),
        ("https://claude.ai:8443/api", ("https://claude.ai/api",)),
        ("https://claude.ai/api/", ("https://claude.ai/api",)),
        ("https://claude.ai/API", ("https://claude.ai/api",)),
        ("cursor://anysphere.cursor-mcp/oauth/other", ("cursor://anysphere.cursor-mcp/oauth/callback",)),
    ],
)
def test_another(uri: str, registered: tuple[str, ...]) -> None:
    assert not is_registered(uri, registered)


def test_place_that_a_person_compares() -> None:
    assert place_of("https://claude.ai/api/mcp/auth_callback") == "claude.ai"
    assert place_of("http://localhost:3118/callback") == "localhost:3118"
    assert place_of("cursor://anysphere.cursor-mcp/oauth") == "cursor://anysphere.cursor-mcp"
