"""Loads what `homeport image` writes into a real Docker Engine, where it serves under whichever user it is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.probing import HEADERS, wait_for
from tests.images.registries import registry
from tests.support import SERVERS, SMALLEST, Platform, with_config
from tests.targets.container.engines import engine, push_base

pytestmark = pytest.mark.whole

# What runs in the container, which has no network but its own loopback.
CALL = """
import json, sys, urllib.request
body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 40, "b": 2}}}
request = urllib.request.Request("http://127.0.0.1:8000/mcp", json.dumps(body).encode(), json.loads(sys.argv[1]))
print(urllib.request.urlopen(request).read().decode())
"""
PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
TOKEN = "the token of this container"


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    with engine(tmp_path_factory.mktemp("engine")) as address:
        yield Docker(address)


class Docker:
    """Is Docker's command line over an engine of the test's own."""

    def __init__(self, address: str) -> None:
        self._environment = {**os.environ, "DOCKER_HOST": address}

    def __call__(self, *arguments: str, data: bytes | None = None) -> str:
        command = ["docker", *arguments]
        done = subprocess.run(command, input=data, env=self._environment, capture_output=True, check=False)
        assert done.returncode == 0, (arguments, done.stderr.decode())
        return done.stdout.decode().strip()

    def load(self, folder: Path, archive: Path) -> str:
        with tarfile.open(archive, "w") as tar:
            for path in folder.iterdir():
                tar.add(path, path.name)
        return self("load", "--input", str(archive)).partition(": ")[2]

    def state(self, container: str, field: str) -> str:
        return self("inspect", "--format", f"{{{{.State.{field}}}}}", container)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Makes the image of a small server."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "registry").mkdir()
    with registry(folder / "registry") as running:
        base = push_base(running.address, folder)
        config = f'[project]\nname = "adds"\n[deployment.container]\nbase = "{base}"\n'
        project = with_config(SERVERS / SMALLEST, config, folder)
        Platform(folder / "home").run("image", str(project), "--output", str(folder / "layout"))
    return folder / "layout"


@pytest.mark.parametrize("user", ["65532:0", "12345:0"])
def test_it_serves_with_nothing_but_its_own_folder(docker: Docker, layout: Path, tmp_path: Path, user: str) -> None:
    image = docker.load(layout, tmp_path / "image.tar")
    fences = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
    container = docker(
        "run", "--detach", "--user", user, *fences, "--volume", "/var/lib/homeport", "--env",
        f"HOMEPORT_TOKEN={TOKEN}", image,
    )  # fmt: skip
    try:
        wait_for(lambda: docker.state(container, "Health.Status") == "healthy")
        headers = json.dumps({**HEADERS, "Authorization": f"Bearer {TOKEN}"})
        assert '"text":"42"' in docker("exec", container, PYTHON, "-c", CALL, headers)
        docker("stop", container)
        assert docker.state(container, "ExitCode") == "0"
    finally:
        docker("rm", "--force", "--volumes", container)


def test_what_an_engine_shows_of_it(docker: Docker, layout: Path, tmp_path: Path) -> None:
    image = docker.load(layout, tmp_path / "image.tar")
    inspected = json.loads(docker("inspect", image))[0]
    assert inspected["Config"]["User"] == "65532:0"
    assert inspected["Config"]["Healthcheck"]["Test"][0] == "CMD"
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image).splitlines()
    assert [line.partition(":")[0] for line in history] == [*["homeport"] * 4, "CMD", "debian"]
