"""Finds libraries of a server that are newer than what homeport was tried with, and what homeport misses in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from homeport_runtime.libraries.gaps import Gap
from homeport_runtime.libraries.tried import TRIED, Untried

from .. import __version__
from .model import Finding


def find_library_changes(manifest: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields a finding for each such library and part; the `manifest` of an earlier version's bundle does not list
    them.
    """
    server = manifest.get("server") or {}
    for each in server.get("untried", ()):
        if each["library"] in TRIED:
            known = Untried(**each)
            yield Finding("untried-sdk", known.sentence(__version__), f"require {known.pin}, or upgrade homeport")
    for each in server.get("gaps", ()):
        gap = Gap(**each)
        text = f"homeport {__version__} does not find {gap.part} in this {gap.library}: {gap.effect}"
        yield Finding("library-gap", text, f"require an older {gap.library}, or upgrade homeport")
