"""Provides an engine, a registry with a base, and a platform that runs projects in containers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.images.registries import registry
from tests.support import Platform, with_packages

from .engines import engine, push_base


@dataclass(frozen=True, slots=True)
class Containers:
    """Is a platform whose engine is at `address`, and the `base` of its images."""

    platform: Platform
    address: str
    base: str

    def project(self, folder: Path, source: str, config: str = "") -> Path:
        """Makes a project of this source in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "server.py").write_text(source)
        (folder / "requirements.txt").write_text("mcp>=2\n")
        (folder / "fastmcp.toml").write_text(
            f'[deployment]\ntarget = "container"\n\n[deployment.container]\nbase = "{self.base}"\n{config}'
        )
        return folder


@contextmanager
def containers_at(address: str, folder: Path) -> Iterator[Containers]:
    """Runs a platform over that engine, with a registry, all of it in `folder`."""
    with registry(folder) as images:
        platform = Platform(with_packages(folder / "home"))
        platform.environment["DOCKER_HOST"] = address
        try:
            yield Containers(platform, address, push_base(images.address, folder / "base"))
        finally:
            platform.stop()


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    with (
        engine(tmp_path_factory.mktemp("engine")) as address,
        containers_at(address, tmp_path_factory.mktemp("containers")) as running,
    ):
        yield running
