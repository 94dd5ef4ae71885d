"""Tests that what nothing needs goes; what serves, what a rollback goes to, and what a build is about to use stays."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.controlplane.garbage import KEEP, Garbage, Waste
from platform_cli.controlplane.locks import ProjectLocks
from platform_cli.controlplane.release_images import ReleaseImages
from platform_cli.controlplane.store import ReleaseRow
from platform_cli.controlplane.stores import Stores, open_stores
from platform_cli.errors import ReleaseError
from platform_cli.home import Home
from platform_cli.supervisor.container_spec import image_name
from platform_cli.supervisor.engine import Engine
from platform_cli.supervisor.release import Container

from ..support import SERVERS, Platform, with_packages

LONG_AGO = time.time() - 30 * 86400


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    (tmp_path / "home").mkdir()
    opened = open_stores(Home(tmp_path / "home"))
    opened.store.create_project("p", 8701, "key", "/folder")
    yield opened
    opened.close()


class Images(Engine):
    """Has images alone; one that is `held` is a container's."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.held = ""

    def remove_image(self, name: str) -> None:
        if name == self.held:
            raise ReleaseError("a container uses it")
        self.removed.append(name)


def collect(stores: Stores, engine: Engine | None = None, *, dry_run: bool = False) -> list[Waste]:
    garbage = Garbage(stores, ReleaseImages(stores, engine or Images()), ProjectLocks())
    return asyncio.run(garbage.collect(dry_run=dry_run))


def folder(path: Path, *, old: bool = True) -> Path:
    path.mkdir(parents=True)
    (path / "content").write_bytes(b"x" * 1000)
    if old:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def bundle(stores: Stores, name: str, layer: str = "layer", *, old: bool = True) -> Path:
    made = folder(stores.home.bundles / name, old=False)
    (made / "manifest.json").write_text(json.dumps({"layer": layer, "runtime": "runtime"}))
    if old:
        os.utime(made, (LONG_AGO, LONG_AGO))
    return made


def release(stores: Stores, number: int, *, error: str | None = None, image: str = "") -> None:
    container = Container(image, "none") if image else None
    stores.store.add_release(ReleaseRow("p", number, f"b{number}", 0.0, error, container=container))


def test_old_releases_go_with_their_bundles(stores: Stores) -> None:
    for number in range(1, KEEP + 4):
        bundle(stores, f"b{number}")
        release(stores, number)
    assert [waste.name for waste in collect(stores, dry_run=True) if waste.kind == "bundle"] == ["b1", "b2", "b3"]
    assert len(stores.store.releases("p")) == KEEP + 3, "a dry run changes nothing"
    found = collect(stores)
    assert [waste.name for waste in found] == ["p v3", "p v2", "p v1", "b1", "b2", "b3"]
    assert sum(waste.bytes for waste in found) > 3000
    assert {path.name for path in stores.home.bundles.iterdir()} == {f"b{number}" for number in range(4, KEEP + 4)}
    assert collect(stores) == []


def test_what_serves_and_what_served_before_stay(stores: Stores) -> None:
    for number in range(1, KEEP + 10):
        bundle(stores, f"b{number}")
        release(stores, number, error="it did not come up" if number > 3 else None)
    collect(stores)
    kept = [row.number for row in stores.store.releases("p")]
    assert kept[-2:] == [3, 2]
    assert len(kept) == KEEP + 2
    assert (stores.home.bundles / "b3").exists()
    assert (stores.home.bundles / "b2").exists()


def test_images_go_with_the_last_release_that_needs_them(stores: Stores) -> None:
    prefix, engine = image_name(stores.home), Images()
    loaded = stores.home.cache / "images" / "loaded"
    for tag in ("used", "unused", "held", "new"):
        loaded.mkdir(parents=True, exist_ok=True)
        (loaded / tag).touch()
        if tag != "new":
            os.utime(loaded / tag, (LONG_AGO, LONG_AGO))
    release(stores, 1, image=f"{prefix}:used")
    engine.held = f"{prefix}:held"
    assert [waste.name for waste in collect(stores, engine)] == [f"{prefix}:held", f"{prefix}:unused"]
    assert engine.removed == [f"{prefix}:unused"]
    assert {path.name for path in loaded.iterdir()} == {"used", "held", "new"}


def test_layers_runtimes_and_temporary_folders(stores: Stores) -> None:
    home = stores.home
    bundle(stores, "b1", "used")
    release(stores, 1)
    bundle(stores, "about-to-be-deployed", "soon", old=False)
    for layer in ("used", "soon", "unused", ".killed.x"):
        folder(home.layers / layer)
    folder(home.layers / "new", old=False)
    (home.layers / "unused.runtime.effects.json").write_text("{}")
    for runtime in ("runtime", "older"):
        folder(home.runtimes / runtime)
    folder(home.temporary / "build-killed")
    folder(home.temporary / "build-new", old=False)
    found = collect(stores)
    assert [(waste.kind, waste.name) for waste in found] == [
        ("layer", ".killed.x"),
        ("layer", "unused"),
        ("runtime", "older"),
        ("temporary", "build-killed"),
    ]
    assert {path.name for path in home.layers.iterdir()} == {"used", "soon", "new"}
    assert [path.name for path in home.temporary.iterdir()] == ["build-new"]


def test_the_command(tmp_path: Path) -> None:
    platform = Platform(with_packages(tmp_path / "home"))
    try:
        platform.deploy(Path(shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path / "project")), name="stays")
        folder(platform.home / "bundles" / ("0" * 32))
        for dry_run in (["--dry-run"], []):
            answer = platform.run("platform", "clean", *dry_run)
            assert [(waste["kind"], waste["name"]) for waste in answer["removed"]] == [("bundle", "0" * 32)]
            assert answer["bytes"] == 1000
        assert platform.run("platform", "clean")["removed"] == []
        assert platform.run("call", "stays", "add", "a=1", "b=2")
    finally:
        platform.stop()
