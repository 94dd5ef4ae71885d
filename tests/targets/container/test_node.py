"""Runs a real server from npm in a container: examples/npm_server, on a base with Python and Node."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.probing import call
from tests.support import ROOT

from .conftest import Containers
from .engines import push_base

pytestmark = pytest.mark.whole

CONFIG = ROOT / "examples/npm_server/fastmcp.toml"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_a_server_from_npm_runs_without_a_network(containers: Containers, tmp_path: Path) -> None:
    registry = containers.base.partition("/")[0]
    base = push_base(registry, tmp_path / "base", "node", "sh", "env", name="node")
    config = CONFIG.read_text().replace("nikolaik/python-nodejs:python3.12-nodejs22-slim", base)
    assert base in config
    (tmp_path / "fastmcp.toml").write_text(config.replace('"3.12"', f'"{PYTHON}"') + 'network = "none"\n')
    deployed = containers.platform.run("deploy", str(tmp_path), "--name", "everything", "--target", "container")
    assert call(deployed["url"], "echo", message="hello") == "Echo: hello"
    containers.platform.run("destroy", "everything", "--yes")
