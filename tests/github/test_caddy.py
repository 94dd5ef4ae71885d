"""Tests the webhook by its public name: GitHub's deliveries come through a real Caddy, over TLS."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.probing import wait_for
from tests.e2e.test_public_host import DOMAIN, running_caddy
from tests.github.conftest import log_in
from tests.github.fake import FakeGitHub, commit, git
from tests.github.test_push import NAME, result_of
from tests.support import Platform, free_port, with_packages


def test_a_delivery_through_caddy(
    github: FakeGitHub,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    platform = Platform(with_packages(tmp_path_factory.mktemp("home")))
    platform.environment |= github.environment
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    log_in(platform, github.token)
    domain = f"{DOMAIN}:{free_port()}"
    with running_caddy(platform, tmp_path_factory.mktemp("caddy") / "data") as authority:
        platform.run("platform", "start", "--domain", domain)
        github.trusted = ssl.create_default_context(cafile=str(authority))
        try:
            assert platform.run("link-repo", github.repository_url)["watched"] == "webhook"
            assert github.webhook == f"https://{domain}/github/webhook"
            wait_for(partial(result_of, platform, git(repository, "rev-parse", "HEAD")))
            (repository / "note.txt").write_text("more")
            sha = commit(repository, "more")
            assert github.deliver("push", github.push(repository)) == (202, {"deploying": [NAME]})
            assert wait_for(partial(result_of, platform, sha))["result"] == "live"
            assert github.deliver("push", github.push(repository), **{"X-Hub-Signature-256": "sha256=0"})[0] == 401
        finally:
            github.trusted = None
            platform.stop()
