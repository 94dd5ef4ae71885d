"""Asks the person before something is removed for good."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from ..errors import InputError
from ..targets.base import Removal
from .output import Output

yes_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option("--yes", is_flag=True, help="Do not ask.")


def confirm_removal(output: Output, what: str, removal: Removal, *, yes: bool) -> None:
    """Asks the person at the terminal.

    Raises InputError if the answer is no, or if there is nobody to ask and the removal needs a yes.
    """
    can_ask = sys.stdin.isatty() and not output.as_json
    if yes or (not can_ask and not removal.asks):
        return
    lines = [f"for good, of {what}: {line}" for line in removal.gone] + [f"stays: {line}" for line in removal.kept]
    if not can_ask:
        hint = "--yes says that all of this may go"
        raise InputError(f"nobody can be asked whether to remove {what}: {'; '.join(removal.gone)}", hint=hint)
    for line in lines:
        output.note(line)
    if not click.confirm(f"remove {what}?", err=True):
        raise InputError("nothing was removed")
