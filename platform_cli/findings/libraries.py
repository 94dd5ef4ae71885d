"""Finds libraries of a server that are newer than what homeport was tried with, and what homeport misses in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from homeport_runtime.libraries.gaps import Gap
from homeport_runtime.libraries.tried import TRIED, Untried

from .. import __version__
from .model import Finding

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import ManifestData


def find_library_changes(manifest: ManifestData) -> Iterator[Finding]:
    """Yields a finding for each such library and part.

    The `manifest` of a bundle that an earlier version has made, or another machine, does not list them.
    """
    server: Mapping[str, Any] = manifest.get("server") or {}
    for each in server.get("untried", ()):
        if each["library"] in TRIED:
            known = Untried(**each)
            yield Finding("untried-sdk", known.sentence(__version__), f"require {known.pin}, or upgrade homeport")
    for each in server.get("gaps", ()):
        gap = Gap(**each)
        text = f"homeport {__version__} does not find {gap.part} in this {gap.library}: {gap.effect}"
        yield Finding("library-gap", text, f"require an older {gap.library}, or upgrade homeport")
