"""Writes workflows for GitHub Actions from the templates of infra/github; the table has each target with a workflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..errors import InputError
from ..home import write_atomic
from ..infra_files import infra_file
from .output import Output

# The module here and the function in it that writes the workflow for each target.
WORKFLOWS = {
    "local": ("platform_workflow", "write_platform_workflow"),
    "lambda": ("lambda_workflow", "write_lambda_workflow"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Holds what was typed about the workflow."""

    path: str
    branch: str
    platform: str | None
    role: str | None
    repository: str | None
    wheel: Path | None


def find_workflow(target: str) -> Callable[[Output, Path, Asked], None]:
    """Returns the function that writes the workflow for a target.

    Raises InputError if the target has none.
    """
    if target not in WORKFLOWS:
        raise InputError(f"there is no workflow for target {target}", hint=f"--target {' or '.join(WORKFLOWS)}")
    module, function = WORKFLOWS[target]
    write: Callable[[Output, Path, Asked], None] = getattr(import_module(f".{module}", __package__), function)
    return write


def write_workflow(path: Path, template: str, values: Mapping[str, str]) -> None:
    text = infra_file(template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    write_atomic(path, text.encode(), 0o644)
