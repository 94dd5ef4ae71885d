from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.text import read_text
from platform_cli.errors import ConfigError


def test_utf_8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "fastmcp.toml"
    path.write_bytes("é\r\n".encode())
    assert read_text(path) == "é\r\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xef\xbb\xbfa = 1", "fastmcp.toml:1: starts with a byte order mark"),
        ("a = 1".encode("utf-16"), "fastmcp.toml:1: starts with a byte order mark"),
        (b"a = 1\nb = '\xe9'", "fastmcp.toml:2: is not UTF-8"),
    ],
)
def test_another_encoding_is_refused_with_its_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "fastmcp.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_text(path)
    assert caught.value.message == message
    assert "UTF-8" in (caught.value.hint or "")
