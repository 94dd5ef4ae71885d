"""Compares installed packages with the hashes in their RECORD."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from pathlib import Path

from ..errors import LayerError
from ..hostile_files import digest

ALGORITHM = "sha256="
# The number of changed files that a message lists.
SHOWN = 5


def check_records(layer: Path) -> None:
    """Raises LayerError for files that differ from their package's RECORD (PyPA, "Recording installed projects")."""
    changed = changed_files(layer)
    if changed:
        files = [path for paths in changed.values() for path in paths]
        more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
        raise LayerError(
            f"files of {', '.join(changed)} are not what was locked: {', '.join(files[:SHOWN])}{more}",
            hint=f"something changed them in uv's cache or in the layer: `uv cache clean {' '.join(changed)}`, remove "
            f"{layer} if it is still there, then run the command again.",
        )


def changed_files(layer: Path) -> dict[str, list[str]]:
    """Returns the files that differ from their package's RECORD, by package.

    It skips files without a hash, which installers write, and bytecode, which is compiled anew. A file that several
    packages contain may be that of any of them.
    """
    expected: dict[str, dict[str, str]] = {}
    for record in sorted(layer.glob("*.dist-info/RECORD")):
        for path, sha256 in _hashes(record):
            expected.setdefault(path, {})[record.parent.name.partition("-")[0]] = sha256
    changed: dict[str, list[str]] = {}
    for path, by_package in expected.items():
        if all(_differs(layer / path, sha256) for sha256 in by_package.values()):
            for package in by_package:
                changed.setdefault(package, []).append(path)
    return changed


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
