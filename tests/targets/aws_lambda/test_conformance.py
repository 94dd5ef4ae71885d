"""Runs the newest revision of the official conformance suite against a function; `make conformance-lambda` has the
whole.
"""

from __future__ import annotations

from pathlib import Path

from tests.clients.matrix import client_env
from tests.conformance.suite import LAMBDA, REVISIONS, SERVER, run
from tests.support import Platform, with_config


def test_a_function_conforms(laptop: Platform, tmp_path: Path) -> None:
    client_env("node")
    deployment = laptop.deploy(with_config(SERVER, LAMBDA, tmp_path), name="conformance")
    outcome = run(deployment.mcp_url, REVISIONS[0], "stateless")
    assert outcome.ok, outcome.log
    assert outcome.scenarios.keys() >= set(outcome.required)
