from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.offers import offered_commands


@pytest.mark.parametrize(
    ("file", "text", "command"),
    [
        ("Dockerfile", 'FROM a\nCMD ["x"]\nFROM b\nENTRYPOINT ["node", "a b.js"]\n', "node 'a b.js' x"),
        ("Dockerfile", "FROM a\nCMD python \\\n  -m x", "python    -m x"),
        ("smithery.yaml", "commandFunction: |\n  (c) => ({ command: 'node', args: ['a.js', '-v'] })", "node a.js -v"),
        ("Procfile", "release: x\nweb: ./serve --port 1\n", "./serve --port 1"),
    ],
)  # fmt: skip
def test_a_command_is_read(tmp_path: Path, file: str, text: str, command: str) -> None:
    (tmp_path / file).write_text(text)
    assert list(offered_commands(tmp_path)) == [(file, command)]


@pytest.mark.parametrize("file", ["Dockerfile", "smithery.yaml", "Procfile"])
def test_a_file_without_a_command_offers_none(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("FROM x\n")
    assert list(offered_commands(tmp_path)) == []
