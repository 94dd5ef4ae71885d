"""Tests `--upgrade` and what stands behind it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from platform_cli.commands.upgrade import read_upgrade, upgrade_option
from platform_cli.errors import InputError


@click.command()
@click.argument("path", default=".")
@upgrade_option
def command(path: str, upgrade: tuple[str, ...]) -> None:
    click.echo(repr(read_upgrade(path, upgrade)))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("", (".", None)),
        ("--upgrade", (".", ())),
        ("server.py --upgrade", ("server.py", ())),
        ("--upgrade server.py", ("server.py", ())),
        ("--upgrade folder/other.py:mcp", ("folder/other.py:mcp", ())),
        ("--upgrade Six --upgrade typing_extensions", (".", ("six", "typing-extensions"))),
        ("server.py --upgrade six --upgrade", ("server.py", ())),
    ],
)
def test_what_is_upgraded(typed: str, read: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("server.py").touch()
    assert CliRunner().invoke(command, typed.split()).output == f"{read!r}\n"


def test_what_is_no_package() -> None:
    with pytest.raises(InputError, match="a b"):
        read_upgrade("server.py", ("a b",))
