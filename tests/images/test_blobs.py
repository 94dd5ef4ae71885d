from __future__ import annotations

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
