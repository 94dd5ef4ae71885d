"""Kills what projects in containers stand on, while clients ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.load import Load
from tests.e2e.probing import call, wait_for
from tests.support import Deployment, Platform

from .conftest import Containers, containers_at
from .engines import Dockerd, client, dockerd

pytestmark = pytest.mark.whole

SOURCE = """
from mcp.server import MCPServer

mcp = MCPServer("killed")

@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b
"""
ENOUGH = 100


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    with dockerd(tmp_path_factory.mktemp("engine")) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def containers(engine: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    with containers_at(engine.address, tmp_path_factory.mktemp("containers")) as running:
        yield running


@pytest.fixture(scope="module")
def platform(containers: Containers) -> Platform:
    return containers.platform


@pytest.fixture(scope="module")
def project(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return containers.project(tmp_path_factory.mktemp("project"), SOURCE, 'network = "none"\n')


@pytest.fixture(scope="module")
def deployed(platform: Platform, project: Path) -> Deployment:
    return platform.deploy(project, name="killed")


def under_load(deployed: Deployment) -> Load:
    port = urlsplit(deployed.url).port
    assert port
    return Load(port, 4)


def answers(load: Load) -> None:
    """Waits until the load was answered again and again."""
    before = load.answered
    wait_for(lambda: load.answered > before + ENOUGH)


def test_only_what_was_in_a_killed_container_fails(engine: Dockerd, deployed: Deployment) -> None:
    with under_load(deployed) as load, client(engine.address) as asked:
        answers(load)
        [container] = asked.containers()
        asked.kill(container["Id"])
        answers(load)
        # What its zygote has forked ends with the zygote, the first process of the container.
        failed = load.failures.total()
        answers(load)
        assert load.failures.total() == failed
    # Each client has one request at a time.
    assert failed <= load.clients


def test_servers_go_on_without_the_engine(
    engine: Dockerd, platform: Platform, project: Path, deployed: Deployment
) -> None:
    with under_load(deployed) as load:
        answers(load)
        engine.kill()
        answers(load)
        assert not load.failures
    engine.start_again()
    # It may have ended the container that it has found, or taken it for one that has ended.
    assert wait_for(lambda: call(deployed.url, "add", a=40, b=2)) == "42"
    (project / "server.py").write_text(f"{SOURCE}\n# changed\n")
    assert platform.deploy(project, name="killed").release == "v2"
    assert call(deployed.url, "add", a=40, b=2) == "42"
    platform.run("destroy", "killed", "--yes")
    with client(engine.address) as asked:
        wait_for(lambda: asked.containers(all=True) == [])
