"""Tests GitHub's limits, and hosts that are not GitHub's."""

from __future__ import annotations

import time

import pytest

from platform_cli.errors import GitHubError, RateLimitError
from platform_cli.github.client import GitHubClient, limited_for
from platform_cli.github.repository import GitHub
from tests.github.fake import Answer, FakeGitHub

NOW = 1000.0


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1060"}, None),
        (403, {}, None),
        (403, {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1060"}, None),
        (403, {"retry-after": "30"}, 30.0),
        (429, {"retry-after": "30", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1060"}, 30.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1060"}, 61.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "900"}, 1.0),
        (429, {}, 60.0),
        (429, {"retry-after": "soon"}, 60.0),
    ],
)
def test_how_long_a_limit_lasts(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert limited_for(status, headers, NOW) == seconds


def test_a_limit_that_lasts_longer_is_not_waited_for(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    asked: list[str] = []

    def limit(_method: str, path: str) -> Answer:
        asked.append(path)
        return 403, {"Retry-After": "3600"}, b'{"message": "secondary rate limit"}'

    monkeypatch.setattr(github, "override", limit)
    with (
        GitHubClient(GitHub(github.url, f"{github.url}/api"), github.token, patience_s=60) as client,
        pytest.raises(RateLimitError) as caught,
    ):
        client.get("/user")
    assert (caught.value.seconds, len(asked), slept) == (3600.0, 1, [])


def test_a_token_goes_to_githubs_own_host_alone(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {"Location": "http://127.0.0.1:1/repos/somebody/else"}
    monkeypatch.setattr(github, "override", lambda _method, _path: (301, elsewhere, b""))
    with (
        GitHubClient(GitHub(github.url, f"{github.url}/api"), github.token) as client,
        pytest.raises(GitHubError, match="leads nowhere"),
    ):
        client.get("/user")
