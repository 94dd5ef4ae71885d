"""Workflows for GitHub Actions, from the templates of infra/github."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..home import write_atomic
from ..infra_files import infra_file


def write_workflow(path: Path, template: str, values: Mapping[str, str]) -> None:
    text = infra_file(template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    write_atomic(path, text.encode(), 0o644)
