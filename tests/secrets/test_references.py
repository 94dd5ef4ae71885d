from __future__ import annotations

import pytest

from platform_cli.errors import ConfigError
from platform_cli.secrets.references import check_set, referenced, resolve

ENVIRONMENT = {"URL": "postgres://${secrets.USER}:${secrets.PW}@h", "KEY": "${secrets.PW}", "PLAIN": "$PW {x} ${OTHER}"}


def test_referenced() -> None:
    assert referenced(ENVIRONMENT) == {"USER": "URL", "PW": "URL"}
    assert referenced({"PLAIN": "text"}) == {}


def test_resolve() -> None:
    assert resolve(ENVIRONMENT, {"USER": "me", "PW": r"a\1${secrets.USER}", "SPARE": "x"}) == {
        "URL": r"postgres://me:a\1${secrets.USER}@h",
        "KEY": r"a\1${secrets.USER}",
        "PLAIN": "$PW {x} ${OTHER}",
    }
    with pytest.raises(ConfigError, match="URL needs the secret PW"):
        resolve(ENVIRONMENT, {"USER": "me"})


def test_check_set() -> None:
    check_set(ENVIRONMENT, ["USER", "PW", "SPARE"], "app")
    with pytest.raises(ConfigError) as caught:
        check_set(ENVIRONMENT, ["USER"], "app", "fastmcp.toml: ")
    assert caught.value.message == "fastmcp.toml: URL needs the secret PW, which is not set in app"
    assert caught.value.hint == "homeport set-secret PW --project app"
