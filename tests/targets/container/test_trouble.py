"""Tests that what goes wrong with containers says what to do next, and leaves the old release, and nothing else."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.probing import call, wait_for
from tests.small_disks import fill, small_disk
from tests.support import CommandFailedError, Deployment

from .conftest import Containers, containers_at
from .engines import Dockerd, client

pytestmark = pytest.mark.whole

SOURCE = """
import signal
from pathlib import Path
from mcp.server import MCPServer

signal.signal(signal.SIGTERM, signal.SIG_IGN)
mcp = MCPServer("troubled")
VERSION = "first"

@mcp.tool()
def version() -> str:
    return VERSION

@mcp.tool()
def eat(megabytes: int) -> int:
    Path("eats").touch()
    return len(bytes(bytearray(megabytes * 1024 * 1024)))
"""
MEMORY = "[deployment]\nmemory_mb = 256\n"
# Enough for an engine with one image of the tests' base, and for a platform with one layer.
DISK_MB = 400


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fills the disk for the block."""
    filler = fill(disk)
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Returns the disk of an engine, and that of a platform."""
    folder = tmp_path_factory.mktemp("disks")
    with small_disk(folder / "engine", DISK_MB) as engine, small_disk(folder / "home", DISK_MB) as home:
        yield engine, home


@pytest.fixture(scope="module")
def engine(disks: tuple[Path, Path]) -> Iterator[Dockerd]:
    daemon = Dockerd(disks[0])
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def containers(
    engine: Dockerd, disks: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Containers]:
    with containers_at(engine.address, tmp_path_factory.mktemp("registry"), disks[1] / "home") as running:
        yield running


@pytest.fixture(scope="module")
def project(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = containers.project(tmp_path_factory.mktemp("project") / "project", SOURCE)
    config = folder / "fastmcp.toml"
    config.write_text(config.read_text().replace("[deployment]\n", MEMORY, 1))
    return folder


@pytest.fixture(scope="module")
def deployed(containers: Containers, project: Path) -> Deployment:
    return containers.platform.deploy(project, name="troubled")


def what_is_there(engine: Any) -> list[str]:
    """Returns the images, once there is but one container."""
    only_container(engine)
    return sorted(each["Id"] for each in engine.images())


def only_container(engine: Any) -> list[Any]:
    found: list[Any] = wait_for(lambda: all_ if len(all_ := engine.containers(all=True)) == 1 else None)
    return found


def change(project: Path, version: str) -> None:
    (project / "server.py").write_text(SOURCE.replace('"first"', f'"{version}"'))


def test_a_full_disk_of_the_engine(
    disks: tuple[Path, Path], containers: Containers, project: Path, deployed: Deployment
) -> None:
    change(project, "after a full disk")
    (project / "large.bin").write_bytes(b"0123456789abcdef" * 65536)
    with client(containers.address) as engine:
        before = what_is_there(engine)
        with full(disks[0]):
            with pytest.raises(CommandFailedError, match="no space left") as failed:
                containers.platform.deploy(project, name="troubled")
            assert "docker system df" in failed.value.error["hint"]
            assert call(deployed.url, "version") == "first"
        assert what_is_there(engine) == before
    assert containers.platform.deploy(project, name="troubled").changed
    assert call(deployed.url, "version") == "after a full disk"


def test_a_full_disk_of_the_platform(
    disks: tuple[Path, Path], containers: Containers, project: Path, deployed: Deployment
) -> None:
    old = call(deployed.url, "version")
    change(project, "after a full disk of the platform")
    (project / "large.bin").write_bytes(b"fedcba9876543210" * 65536)
    with client(containers.address) as engine:
        before = what_is_there(engine)
        with full(disks[1]):
            with pytest.raises(CommandFailedError) as failed:
                containers.platform.deploy(project, name="troubled")
            assert failed.value.error["hint"]
            assert call(deployed.url, "version") == old
        assert what_is_there(engine) == before
    assert containers.platform.deploy(project, name="troubled").changed
    assert call(deployed.url, "version") == "after a full disk of the platform"


def test_more_memory_than_it_may_have(containers: Containers, project: Path, deployed: Deployment) -> None:
    """Its limit in the container ends the call, and with it no more than its worker."""
    files = containers.platform.home / "projects/troubled/files"
    with contextlib.suppress(OSError, http.client.HTTPException, KeyError, AssertionError):
        call(deployed.url, "eat", megabytes=4096)
    wait_for((files / "eats").exists)
    assert call(deployed.url, "version")
    with client(containers.address) as engine:
        only_container(engine)


def test_a_server_that_ignores_signals_is_followed(containers: Containers, project: Path, deployed: Deployment) -> None:
    change(project, "second")
    assert containers.platform.deploy(project, name="troubled").changed
    assert call(deployed.url, "version") == "second"
    with client(containers.address) as engine:
        only_container(engine)


def test_an_engine_that_is_killed_during_a_deploy(
    engine: Dockerd, containers: Containers, project: Path, deployed: Deployment
) -> None:
    old = call(deployed.url, "version")
    change(project, "after the engine's end")
    killing = threading.Thread(target=_kill_when_it_starts, args=(engine, containers))
    killing.start()
    with pytest.raises(CommandFailedError) as failed:
        containers.platform.deploy(project, name="troubled")
    killing.join()
    assert failed.value.error["hint"]
    assert call(deployed.url, "version") == old
    engine.start_again()
    assert wait_for(lambda: containers.platform.deploy(project, name="troubled").changed)
    assert call(deployed.url, "version") == "after the engine's end"
    with client(containers.address) as asked:
        only_container(asked)


def _kill_when_it_starts(engine: Dockerd, containers: Containers) -> None:
    """Kills the engine once it has made a container for the new release."""
    with client(containers.address) as asked:
        wait_for(lambda: len(asked.containers(all=True)) > 1)
    engine.kill()
