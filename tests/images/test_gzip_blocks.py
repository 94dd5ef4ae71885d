from __future__ import annotations

import gzip
import os
import random

import pytest

from platform_cli.images.gzip_blocks import BLOCK, Gzip

CONTENT = random.Random(1).randbytes(BLOCK // 2) * 5


def packed(content: bytes, piece: int) -> bytes:
    made = bytearray()
    with Gzip(made.extend) as file:
        for start in range(0, len(content), piece):
            file.write(content[start : start + piece])
    return bytes(made)


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, len(CONTENT)])
def test_it_is_one_member_that_everybody_reads(size: int) -> None:
    made = packed(CONTENT[:size], 10_000)
    assert gzip.decompress(made) == CONTENT[:size]
    assert made[4:8] == bytes(4), "no time"


def test_neither_pieces_nor_processors_change_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = packed(CONTENT, 512)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert packed(CONTENT, BLOCK * 2) == made


def test_an_error_is_the_callers() -> None:
    with pytest.raises(OSError, match="disk"), Gzip(lambda _data: None) as file:
        file.write(b"x" * (3 * BLOCK))
        raise OSError("the disk is full")
