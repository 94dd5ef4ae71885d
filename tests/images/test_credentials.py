from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from platform_cli.errors import RegistryError
from platform_cli.images.credentials import Credentials, find_credentials

HELPER = """#!/bin/sh
read server
case "$server" in
    store.example.com) echo '{"Username": "you", "Secret": "kept by a helper"}';;
    token.example.com) echo '{"Username": "<token>", "Secret": "identity"}';;
    *) echo "credentials not found in native keychain"; exit 1;;
esac
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    helper = tmp_path / "docker-credential-here"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "config.json"


def test_what_docker_login_has_stored(config: Path) -> None:
    shown = base64.b64encode(b"you:a:b").decode()
    config.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": shown}, "ghcr.io": {}}}))
    assert find_credentials("docker.io") == Credentials("you", "a:b")
    assert find_credentials("ghcr.io") is None
    assert find_credentials("quay.io") is None
    assert "a:b" not in repr(find_credentials("docker.io"))


def test_credential_helpers(config: Path) -> None:
    config.write_text(json.dumps({"credHelpers": {"store.example.com": "here"}, "credsStore": "here"}))
    assert find_credentials("store.example.com") == Credentials("you", "kept by a helper")
    assert find_credentials("other.example.com") is None
    with pytest.raises(RegistryError, match="identity token"):
        find_credentials("token.example.com")


@pytest.mark.parametrize(
    "content", ['{"credsStore": "absent"}', '{"auths": {"ghcr.io": "x"}}', '{"auths": {"ghcr.io": {"auth": "%"}}}']
)
def test_a_login_that_cannot_be_read(config: Path, content: str) -> None:
    config.write_text(content)
    with pytest.raises(RegistryError, match=r"the login for ghcr\.io cannot be read"):
        find_credentials("ghcr.io")


def test_amazons_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        found = find_credentials("123456789012.dkr.ecr.eu-central-1.amazonaws.com")
    assert found is not None
    assert found.username == "AWS"


def test_amazons_registry_without_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(RegistryError, match="AWS gives no token for its registry in eu-central-1"):
        find_credentials("123456789012.dkr.ecr.eu-central-1.amazonaws.com")
