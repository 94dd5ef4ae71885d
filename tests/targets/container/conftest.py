"""Provides an engine, a registry with a base, and a platform that runs projects in containers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.images.registries import registry
from tests.support import Platform

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


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    folder = tmp_path_factory.mktemp("containers")
    with engine(tmp_path_factory.mktemp("engine")) as address, registry(folder) as images:
        platform = Platform(folder / "home")
        platform.environment["DOCKER_HOST"] = address
        yield Containers(platform, address, push_base(images.address, folder / "base"))
        platform.stop()
