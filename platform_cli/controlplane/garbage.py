"""Removes what is not needed any more: old releases, bundles, layers and runtimes, and what killed builds have left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from homeport_runtime.loading.manifest import FILE_NAME

from ..api.platform import WasteKind, WastePiece
from ..temporary import is_abandoned
from .locks import ProjectLocks
from .release_images import ReleaseImages
from .store import ReleaseRow
from .stores import Stores

# The number of a project's newest releases that are kept. The active one, and the one that a rollback would activate,
# always are.
KEEP = 20
# The seconds for which a bundle without a release is kept, since a build may be about to deploy it.
NEW_BUNDLE_S = 3600.0
# The seconds for which a layer that no release needs is kept, for the next deploy and for `homeport dev`.
SPARE_LAYER_S = 7 * 86400.0
# The seconds between collections.
EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Waste:
    """Is something to remove: `bytes` is what that frees, which is nothing for a release, whose bundle counts by
    itself.
    """

    kind: WasteKind
    name: str
    bytes: int = 0

    def data(self) -> WastePiece:
        return {"kind": self.kind, "name": self.name, "bytes": self.bytes}


class Garbage:
    def __init__(self, stores: Stores, images: ReleaseImages, locks: ProjectLocks) -> None:
        self._stores = stores
        self._images = images
        self._home = stores.home
        self._locks = locks

    async def watch(self) -> None:
        """Collects garbage at intervals, and never returns."""
        while True:
            with contextlib.suppress(OSError):
                await self.collect(dry_run=False)
            await asyncio.sleep(EVERY_S)

    async def collect(self, *, dry_run: bool) -> list[Waste]:
        """Removes garbage, and returns what was removed or, in a dry run, would be."""
        found: list[Waste] = []
        used: set[str] = set()
        for row in self._stores.store.projects():
            async with self._locks.of(row.name):
                kept, old = _divide(self._stores.store.releases(row.name), row.active)
                used |= {release.bundle for release in kept}
                found += [Waste("release", f"{row.name} v{release.number}") for release in old]
                if not dry_run:
                    self._stores.store.delete_releases(row.name, [release.number for release in old])
        unused = set(self._images.unused(self._images.used(), NEW_BUNDLE_S))
        found += [Waste("image", name) for name in sorted(unused)]
        if not dry_run:
            await asyncio.to_thread(self._images.drop, unused)
        return found + await asyncio.to_thread(self._folders, used, dry_run)

    def _folders(self, used: set[str], dry_run: bool) -> list[Waste]:
        found = []
        for kind, folder in self._unused(used):
            found.append(Waste(kind, folder.name, _size(folder)))
            if not dry_run:
                shutil.rmtree(folder, ignore_errors=True)
                for effects in folder.parent.glob(f"{folder.name}.*.json") if kind == "layer" else ():
                    effects.unlink(missing_ok=True)
                if kind == "bundle":
                    (self._home.containers / f"{folder.name}.json").unlink(missing_ok=True)
        return found

    def _unused(self, used: set[str]) -> Iterator[tuple[WasteKind, Path]]:
        home = self._home
        staying = []
        for bundle in _folders(home.bundles):
            if bundle.name in used or not _is_older(bundle, NEW_BUNDLE_S):
                staying.append(bundle)
            else:
                yield "bundle", bundle
        needed = [_needs(bundle) for bundle in staying]
        parts: Sequence[tuple[WasteKind, Path, set[str]]] = (
            ("layer", home.layers, {layer for layer, _ in needed}),
            ("runtime", home.runtimes, {runtime for _, runtime in needed}),
        )
        for kind, folder, names in parts:
            for part in _folders(folder):
                # A name that starts with a dot is of something being built, which its builder locks.
                spare = is_abandoned(part) if part.name.startswith(".") else _is_older(part, SPARE_LAYER_S)
                if part.name not in names and spare:
                    yield kind, part
        yield from (("temporary", folder) for folder in _folders(home.temporary) if is_abandoned(folder))


def _divide(releases: list[ReleaseRow], active: int | None) -> tuple[list[ReleaseRow], list[ReleaseRow]]:
    """Divides a project's releases, newest first, into those to keep and those that may be removed."""
    proven = [release.number for release in releases if release.error is None and release.number < (active or 0)]
    always = {active, *proven[:1]}
    kept = [release for index, release in enumerate(releases) if index < KEEP or release.number in always]
    return kept, [release for release in releases if release not in kept]


def _needs(bundle: Path) -> tuple[str, str]:
    """Returns the layer and the runtime of a bundle or the draft of one."""
    try:
        manifest = json.loads((bundle / FILE_NAME).read_bytes())
        return str(manifest["layer"]), str(manifest["runtime"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _folders(parent: Path) -> Iterable[Path]:
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())
    except FileNotFoundError:
        return []


def _is_older(folder: Path, seconds: float) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > seconds
    except FileNotFoundError:
        return False


def _size(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(path, name)).st_size
    return total
