"""Tests that the command reference is what the command line says now."""

from __future__ import annotations

from tools.command_reference import FILE, render


def test_the_page_is_up_to_date() -> None:
    assert FILE.read_text() == render(), "make docs"
