"""Tests which client tokens can be made."""

from __future__ import annotations

import pytest

from platform_cli.api.client_token import WantedClientToken
from platform_cli.config.client_tokens import check_wanted
from platform_cli.errors import InputError


def _wanted(client: str) -> WantedClientToken:
    return {"client": client, "user": None, "scopes": None, "expires_s": None}


def test_a_client_has_a_name_of_its_own() -> None:
    check_wanted(_wanted("claude-ai-prod"))
    with pytest.raises(InputError, match="no client may be called project-token"):
        check_wanted(_wanted("project-token"))
