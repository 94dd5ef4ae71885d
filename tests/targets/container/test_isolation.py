"""Tests a platform that runs every server in a container, those too that it builds: for a laptop, or after a push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.probing import call, wait_for
from tests.support import CommandFailedError, Platform

from .conftest import Containers
from .engines import client, push_base

pytestmark = pytest.mark.whole

SOURCE = """
import os
from mcp.server import MCPServer

assert os.path.exists("/opt/homeport/start.py"), "it is never loaded elsewhere"
mcp = MCPServer("isolated")

@mcp.tool()
def contained() -> bool:
    return os.path.exists("/opt/homeport/start.py")
"""


@pytest.fixture(scope="module")
def laptop(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Returns the command line of another machine, for a platform that isolates by containers."""
    assert containers.platform.run("platform", "start", "--isolate", "container")["isolate"] == "container"
    platform = Platform(tmp_path_factory.mktemp("laptop"))
    platform.environment["HOMEPORT_PLATFORM"] = containers.platform.run("platform", "status")["api_url"]
    platform.environment["HOMEPORT_TOKEN"] = containers.platform.run("platform", "token", "create", "laptop")["token"]
    yield platform
    containers.platform.run("platform", "start", "--isolate", "namespaces")


def in_folder(containers: Containers, folder: Path, source: str = SOURCE) -> Path:
    """Makes a project that does not ask for a container."""
    project = containers.project(folder, source)
    config = project / "fastmcp.toml"
    config.write_text(config.read_text().replace('target = "container"', ""))
    return project


def test_what_a_laptop_deploys_runs_in_a_container(containers: Containers, laptop: Platform, tmp_path: Path) -> None:
    project = in_folder(containers, tmp_path / "project")
    laptop.run("deploy", str(project), "--name", "isolated")
    status = containers.platform.run("status", "isolated")
    assert (status["target"], status["confined"]) == ("container", True)
    assert call(status["local_url"], "contained") == "true"
    assert not laptop.run("deploy", str(project), "--name", "isolated")["changed"]
    (project / "server.py").write_text(f"{SOURCE}\n# changed\n")
    assert laptop.run("deploy", str(project), "--name", "isolated")["changed"]
    newer = containers.platform.run("status", "isolated")["image"]
    assert newer != status["image"]
    containers.platform.run("destroy", "isolated", "--yes")
    with client(containers.address) as engine:
        wait_for(lambda: engine.containers(all=True) == [])
        assert engine.images(filters={"label": "homeport.lock"}) == []


def test_what_has_no_container_is_not_run(containers: Containers, laptop: Platform, tmp_path: Path) -> None:
    assert laptop
    with pytest.raises(CommandFailedError, match="runs every server in a container"):
        containers.platform.run("deploy", str(in_folder(containers, tmp_path / "project")), "--name", "open")


def test_a_newer_base_alone_makes_a_release(containers: Containers, tmp_path: Path) -> None:
    project = containers.project(tmp_path / "project", SOURCE)
    containers.platform.run("deploy", str(project), "--name", "based")
    registry = containers.base.partition("/")[0]
    push_base(registry, tmp_path / "newer", "true")
    assert not containers.platform.run("deploy", str(project), "--name", "based")["changed"]
    assert containers.platform.run("deploy", str(project), "--name", "based", "--upgrade")["changed"]
    assert not containers.platform.run("deploy", str(project), "--name", "based", "--upgrade")["changed"]
    containers.platform.run("destroy", "based", "--yes")
