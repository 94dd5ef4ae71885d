from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.images.blobs import Blobs


def test_what_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield b"the first part"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        Blobs(tmp_path).add(breaks_off())
    assert not [*tmp_path.iterdir()]


def test_what_nobody_has_used_for_long_is_removed(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    used, unused = blobs.add([b"used"]), blobs.add([b"unused"])
    for digest in (used, unused):
        os.utime(blobs.path(digest), (1, 1))
    assert blobs.has(used)
    blobs.drop_unused()
    assert (blobs.has(used), blobs.has(unused)) == (True, False)
