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
class Site:
    """Is a platform, and the `base` of its images, which is in a registry."""

    platform: Platform
    base: str


@dataclass(frozen=True, slots=True)
class Containers(Site):
    """Is a platform whose engine is at `address`."""

    address: str

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
def site_in(folder: Path, home: Path) -> Iterator[Site]:
    """Runs a registry in `folder`, and a platform whose home is `home` as soon as it is needed."""
    with registry(folder) as images:
        platform = Platform(home)
        try:
            yield Site(platform, push_base(images.address, folder / "base"))
        finally:
            platform.stop()


@contextmanager
def containers_at(address: str, folder: Path, home: Path | None = None) -> Iterator[Containers]:
    """Runs a platform over that engine; all of it is in `folder`, but for its home where another is given."""
    with site_in(folder, home or with_packages(folder / "home")) as site:
        site.platform.environment["DOCKER_HOST"] = address
        yield Containers(site.platform, site.base, address)


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    with (
        engine(tmp_path_factory.mktemp("engine")) as address,
        containers_at(address, tmp_path_factory.mktemp("containers")) as running,
    ):
        yield running
