"""Reports the libraries of a server to its deploy, as plain data in its inspection."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ..libraries.gaps import recorded_gaps
from ..libraries.tried import untried_sdks
from ..takeover.transports import check_places


def libraries_report(layer: Path) -> dict[str, list[dict[str, str]]]:
    """Returns what is to be reported about the server's libraries.

    `untried` are SDKs in `layer` that are newer than what homeport was tried with; `gaps` are parts of libraries that
    were missing when the server was started in this process.
    """
    check_places()
    return {
        "untried": [asdict(each) for each in untried_sdks(layer)],
        "gaps": [asdict(each) for each in recorded_gaps()],
    }
