"""Installed packages are compared with what their wheels say of themselves."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from pathlib import Path

from platform_cli.errors import LayerError
from platform_cli.hostile_files import digest

ALGORITHM = "sha256="


def check_records(layer: Path) -> None:
    """Raises LayerError where a file is not what the RECORD of its package says (PyPA, "Recording installed projects").

    Files that have no hash there, which installers make, are not looked at.
    """
    for record in sorted(layer.glob("*.dist-info/RECORD")):
        for path, expected in _hashes(record):
            if _differs(layer / path, expected):
                package = record.parent.name.partition("-")[0]
                raise LayerError(
                    f"{path} is not what the package {package} has there: uv's cache has been changed",
                    hint=f"`uv cache clean {package}`, then run the command again.",
                )


def _hashes(record: Path) -> Iterator[tuple[str, str]]:
    with record.open(newline="", encoding="utf-8") as rows:
        for row in csv.reader(rows):
            if len(row) >= 2 and row[1].startswith(ALGORITHM):
                yield row[0], row[1].removeprefix(ALGORITHM)


def _differs(path: Path, expected: str) -> bool:
    try:
        found = digest(path)
    except OSError:
        return True
    return found is None or base64.urlsafe_b64encode(bytes.fromhex(found)).rstrip(b"=").decode() != expected
