"""Projects in containers of an engine through which no descriptors pass: they are reached by published ports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.load import Load
from tests.e2e.probing import call, wait_for
from tests.support import CommandFailedError

from .conftest import Containers, containers_at
from .desktop import desktop
from .engines import client
from .test_isolation import SOURCE
from .test_kills import SOURCE as ADDING

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module", params=["no socket", "a socket that passes data"])
def containers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    passes_data = request.param != "no socket"
    with (
        desktop(tmp_path_factory.mktemp("engine"), passes_data=passes_data) as address,
        containers_at(address, tmp_path_factory.mktemp("published")) as running,
    ):
        yield running


def test_it_is_deployed_changed_killed_and_destroyed(containers: Containers, tmp_path: Path) -> None:
    platform, project = containers.platform, containers.project(tmp_path / "project", SOURCE)
    deployed = platform.deploy(project, name="published")
    assert call(deployed.url, "contained") == "true"
    assert platform.run("status", "published")["published"]
    with client(containers.address) as engine:
        (project / "server.py").write_text(f"{SOURCE}\n# changed\n")
        platform.deploy(project, name="published")
        [container] = wait_for(lambda: found if len(found := engine.containers()) == 1 else None)
        platform.run("platform", "restart")
        assert call(deployed.url, "contained") == "true"
        assert [each["Id"] for each in engine.containers()] == [container["Id"]]
        engine.kill(container["Id"])
        assert call(deployed.url, "contained") == "true"
        platform.run("destroy", "published", "--yes")
        wait_for(lambda: engine.containers(all=True) == [])


def test_no_call_is_lost_in_a_deploy(containers: Containers, tmp_path: Path) -> None:
    project = containers.project(tmp_path / "project", ADDING)
    deployed = containers.platform.deploy(project, name="loaded")
    port = urlsplit(deployed.url).port
    assert port
    with Load(port, 4) as load:
        (project / "server.py").write_text(f"{ADDING}\n# changed\n")
        containers.platform.deploy(project, name="loaded")
    assert load.answered
    assert load.failures.total() == 0
    containers.platform.run("destroy", "loaded", "--yes")


def test_none_is_no_network_there(containers: Containers, tmp_path: Path) -> None:
    project = containers.project(tmp_path / "project", SOURCE, 'network = "none"\n')
    with pytest.raises(CommandFailedError, match="leave `network` out"):
        containers.platform.deploy(project, name="closed")
    with client(containers.address) as engine:
        assert engine.containers(all=True) == []
