"""Puts the files of an image's bundle into the server's folder, which may be a volume that older images have used.

It does what a platform does with a project's folder (platform_cli.supervisor.workdir): a file that an image brought is
replaced by the next image, and a file that the server created or changed stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

RECORD = "placed.json"


def place(app: Path, work: Path, files: Mapping[str, str], folders: Iterable[str]) -> None:
    """Places `files` (path -> SHA-256, content below `app`) and `folders` in `work`, and notes beside it what is there.

    Raises OSError if something cannot be written.
    """
    for folder in folders:
        (work / folder).mkdir(parents=True, exist_ok=True)
    record = work.with_name(RECORD)
    placed = _read(record)
    kept: dict[str, str] = {}
    for name in sorted({*placed, *files}):
        target, wanted = work / name, files.get(name)
        current = _digest(target)
        if current not in (None, placed.get(name), wanted):
            # The hash stays noted, so that the file remains the server's.
            kept.update({name: placed[name]} if name in placed else {})
        elif wanted is None:
            target.unlink(missing_ok=True)
        else:
            if current != wanted:
                _copy(app / name, target)
            kept[name] = wanted
    if kept != placed:
        record.write_text(json.dumps(kept, sort_keys=True))


def _read(record: Path) -> dict[str, str]:
    try:
        placed = json.loads(record.read_bytes())
    except (OSError, ValueError):
        return {}
    return placed if isinstance(placed, dict) else {}


def _digest(path: Path) -> str | None:
    """Returns the hash of a file, None if there is nothing, and "" for what is no file."""
    if not os.path.lexists(path):
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".placed-{os.getpid()}")
    shutil.copyfile(source, temporary)
    # The server may change it.
    temporary.chmod(source.stat().st_mode & 0o777 | 0o600)
    temporary.replace(target)
