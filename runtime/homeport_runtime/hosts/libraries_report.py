"""What a deploy is told of the libraries that a server is built with, as plain data for its inspection."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from ..libraries.gaps import recorded_gaps
from ..libraries.tried import untried_sdks
from ..takeover.transports import check_places


def libraries_report(layer: Path) -> dict[str, list[dict[str, str]]]:
    """`untried` are SDKs in `layer` that are newer than what homeport was tried with; `gaps` are parts of libraries
    that were looked for in vain while the server was started in this process.
    """
    check_places()
    return {
        "untried": [asdict(each) for each in untried_sdks(layer)],
        "gaps": [asdict(each) for each in recorded_gaps()],
    }
