"""Projects in containers of a real podman, which a platform asks by its Docker socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.probing import call, wait_for

from .conftest import Containers, containers_at
from .engines import client, podman
from .test_isolation import SOURCE

pytestmark = pytest.mark.whole


def test_podman_is_an_engine_as_docker_is(tmp_path: Path) -> None:
    with podman(tmp_path) as service, containers_at(service.address, tmp_path) as containers:
        deploy_change_kill_and_destroy(containers, tmp_path / "project")


def deploy_change_kill_and_destroy(containers: Containers, folder: Path) -> None:
    platform, project = containers.platform, containers.project(folder, SOURCE, 'network = "none"\ncpus = 1\n')
    first = platform.deploy(project, name="podded")
    assert call(first.url, "contained") == "true"
    (project / "server.py").write_text(f"{SOURCE}\n# changed\n")
    platform.deploy(project, name="podded")
    with client(containers.address) as engine:
        [container] = wait_for(lambda: found if len(found := engine.containers()) == 1 else None)
        engine.kill(container["Id"])
        assert call(first.url, "contained") == "true"
        platform.run("rollback", "podded")
        assert call(first.url, "contained") == "true"
        platform.run("destroy", "podded", "--yes")
        wait_for(lambda: engine.containers(all=True) == [])
        assert engine.images(filters={"label": "homeport.lock"}) == []
