from __future__ import annotations

from typing import Literal

import pytest

from platform_cli.findings.exposure import find_exposure
from tests.api.statuses import STATUS


@pytest.mark.parametrize(
    ("url", "auth", "contract", "told"),
    [
        ("https://x.example.com", "none", {}, True),
        ("https://x.example.com", "none", None, True),
        ("https://x.example.com", "none", {"guarded": True}, False),
        ("https://x.example.com", "token", {}, False),
        ("http://127.0.0.1:8700", "none", {}, False),
        ("https://x.mcp.localhost", "none", {}, False),
    ],
)
def test_only_what_others_reach_and_nobody_guards(
    url: str, auth: Literal["none", "token"], contract: dict[str, object] | None, told: bool
) -> None:
    found = list(find_exposure({**STATUS, "url": url, "mcp_url": f"{url}/mcp", "auth": auth}, contract))
    assert [finding.kind for finding in found] == (["open"] if told else [])
