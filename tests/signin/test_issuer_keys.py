"""Tests from where the keys of an issuer are taken."""

from __future__ import annotations

import asyncio

import pytest

from platform_cli.errors import PlatformError
from platform_cli.signin.issuers import find_keys

from .identity import running_identity


def test_keys_are_where_nobody_changes_them_on_the_way() -> None:
    with running_identity() as identity:
        found = asyncio.run(find_keys(identity.url))
        assert found.url == f"{identity.url}/keys"
        assert [key["kid"] for key in found.keys] == ["rsa", "ec", "ed"], "never a shared one"
        assert not found.is_platform
        identity.ended = []
        assert asyncio.run(find_keys(identity.url)).is_platform, "as platforms list them"
        for place in (
            "http://keys.example/",
            identity.place.replace("127.0.0.1", "localhost"),
            "file:///x",
        ):
            identity.place = place
            with pytest.raises(PlatformError, match="where others could change them"):
                asyncio.run(find_keys(identity.url))
        identity.place = f"{identity.url}/keys"
        identity.keys = [key for key in identity.keys if key["kty"] == "oct"]
        with pytest.raises(PlatformError, match="no key that verifies"):
            asyncio.run(find_keys(identity.url))
        assert identity.fetched == 3
