"""Installed packages are compared with what their wheels say of themselves."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from pathlib import Path

from platform_cli.errors import LayerError
from platform_cli.hostile_files import digest

ALGORITHM = "sha256="
# Of the files that differ.
SHOWN = 5


def check_records(layer: Path) -> None:
    """Raises LayerError where files are not what the RECORD of their package says (PyPA, "Recording installed
    projects").

    Files that have no hash there, which installers make, are not looked at, and neither is bytecode, which is compiled
    anew.
    """
    changed: dict[str, list[str]] = {}
    for record in sorted(layer.glob("*.dist-info/RECORD")):
        differing = [path for path, expected in _hashes(record) if _differs(layer / path, expected)]
        if differing:
            changed[record.parent.name.partition("-")[0]] = differing
    if changed:
        files = [path for paths in changed.values() for path in paths]
        more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
        raise LayerError(
            f"files of {', '.join(changed)} are not what was locked: {', '.join(files[:SHOWN])}{more}",
            hint=f"something changed them in uv's cache or in the layer: `uv cache clean {' '.join(changed)}`, remove "
            f"{layer} if it is still there, then run the command again.",
        )


def _hashes(record: Path) -> Iterator[tuple[str, str]]:
    with record.open(newline="", encoding="utf-8") as rows:
        for row in csv.reader(rows):
            if len(row) >= 2 and row[1].startswith(ALGORITHM) and "__pycache__" not in row[0]:
                yield row[0], row[1].removeprefix(ALGORITHM)


def _differs(path: Path, expected: str) -> bool:
    try:
        found = digest(path)
    except OSError:
        return True
    return found is None or base64.urlsafe_b64encode(bytes.fromhex(found)).rstrip(b"=").decode() != expected
