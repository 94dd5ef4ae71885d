"""Runs the official conformance suite against deployed servers: `make conformance` prints the same as a table."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.clients.matrix import client_env
from tests.conformance import authorization, suite
from tests.conformance.suite import MODES, REVISIONS, Outcome
from tests.signin.person import Person
from tests.support import SERVERS, Platform, free_port, with_config

pytestmark = pytest.mark.whole


@cache
def bare(mode: str) -> dict[str, Outcome]:
    with suite.bare(mode) as url:
        return {revision: suite.run(url, revision, mode) for revision in REVISIONS}


# `make test` has a server as it is deployed without a configuration.
EACH = [pytest.param(mode, marks=() if mode == "stateless" else pytest.mark.whole) for mode in MODES]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("mode", EACH)
def test_a_deployed_server_conforms(
    platform: Platform, tmp_path_factory: pytest.TempPathFactory, mode: str, revision: str
) -> None:
    client_env("node")
    client_env("mcp2")
    project = with_config(suite.SERVER, MODES[mode], tmp_path_factory.mktemp(mode))
    deployment = platform.deploy(project, name=f"conformance-{mode}")
    outcome = suite.run(deployment.mcp_url, revision, mode)
    assert outcome.ok, outcome.log
    assert not outcome.worse_than(bare(mode)[revision])


@pytest.mark.parametrize("mode", EACH)
def test_the_suite_runs_all_that_is_required(mode: str) -> None:
    """This notices a change of the suite's output, which would leave nothing to compare."""
    client_env("node")
    client_env("mcp2")
    for outcome in bare(mode).values():
        assert outcome.required
        assert outcome.scenarios.keys() >= set(outcome.required)


def test_the_authorization_server_conforms(platform: Platform, tmp_path: Path) -> None:
    client_env("node")
    folder = with_config(SERVERS / "mcp2_lowlevel", '[auth]\nmode = "oauth"\n', tmp_path)
    deployment = platform.deploy(folder, name="conformance-signed-in")
    issuer = platform.run("platform", "status")["api_url"]
    seen = authorization.run(issuer, deployment.mcp_url, free_port(), Person(platform).go_through)
    assert not authorization.unexpected(seen), seen
