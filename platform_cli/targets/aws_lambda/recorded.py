"""What is installed is what was locked: each file against the hash that its wheel's RECORD has for it.

https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import base64
import csv
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...errors import BuildError

ALGORITHM = "sha256"
SHOWN = 5


def check_recorded(files: Mapping[str, Path], layer: Path) -> None:
    """`files` of the folder `layer`, by their paths in it. Raises BuildError that names those which differ.

    A file may have changed after it was installed: one with the same inode in uv's cache, or in another environment
    that is linked to it, is the same file.
    """
    differ = (path for path, digest in _recorded(files) if path not in files or _digest(files[path]) != digest)
    # What lies outside the folder is not uploaded, and neither is bytecode.
    changed = sorted(path for path in differ if not path.startswith("../") and "__pycache__" not in path)
    if not changed:
        return
    more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    raise BuildError(
        f"what is installed is not what was locked: {', '.join(changed[:SHOWN])}{more}",
        hint=f"something changed these files after they were installed: remove {layer}, run `uv cache clean`, and "
        "deploy again",
    )


def _recorded(files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for name, file in files.items():
        if name.count("/") == 1 and name.endswith(".dist-info/RECORD"):
            with file.open(newline="", encoding="utf-8") as rows:
                # Installers may add files without a hash.
                yield from ((row[0], row[1]) for row in csv.reader(rows) if len(row) > 1 and row[1])


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, ALGORITHM).digest()
    return f"{ALGORITHM}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
