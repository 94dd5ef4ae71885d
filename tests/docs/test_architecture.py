"""Checks that what docs/architecture.md names is there, and that its tables of rooms are the linter's contracts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.support import ROOT

PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {
    contract["containers"][0]: contract["layers"]
    for contract in PYPROJECT["tool"]["importlinter"]["contracts"]
    if contract["type"] == "layers"
}
FOLDERS = {"platform_cli": ROOT / "platform_cli", "homeport_runtime": ROOT / "runtime" / "homeport_runtime"}
# Files of the home whose names could be those of modules.
HOME_FILES = {"console.html", "otlp.json", "secrets.db", "secrets.key", "github.json", "telemetry.sqlite"}


def rooms(package: str) -> list[set[str]]:
    return [set(re.split(r" \| ", layer)) for layer in CONTRACTS[package]]


def named() -> list[str]:
    """Yields every dotted name that starts with a room or the runtime."""
    first = "|".join(sorted(set().union(*rooms("platform_cli"), {"homeport_runtime"})))
    found = re.findall(rf"(?<![\w./])(?:{first})(?:\.\w+)+", TEXT)
    return sorted(set(found) - HOME_FILES)


def is_there(name: str) -> bool:
    """Tells whether `name` is a module, or what a module's source defines."""
    first, *rest = name.split(".")
    folder = FOLDERS["homeport_runtime"] if first == "homeport_runtime" else FOLDERS["platform_cli"] / first
    while rest and (folder / rest[0]).is_dir():
        folder /= rest.pop(0)
    file = folder / f"{rest[0]}.py" if rest else folder / "__init__.py"
    if rest and file.is_file():
        rest.pop(0)
    elif not rest or not (file := folder.with_suffix(".py")).is_file():
        file = folder / "__init__.py"
    return file.is_file() and all(is_defined(part, file) for part in rest)


def is_defined(name: str, file: Path) -> bool:
    definition = rf"^\s*(?:class|(?:async )?def) {name}\b|^{name}\b.* = "
    return re.search(definition, file.read_text(), re.MULTILINE) is not None


@pytest.mark.parametrize("name", named())
def test_what_it_names_exists(name: str) -> None:
    assert is_there(name)


def test_the_check_finds_what_is_not_there() -> None:
    assert not is_there("controlplane.nowhere")
    assert not is_there("controlplane.releases.Releases.undo")
    assert not is_there("homeport_runtime.hosts.nowhere")


@pytest.mark.parametrize("package", CONTRACTS)
def test_rooms_are_those_of_the_contracts(package: str) -> None:
    table = TEXT.partition(f"| rooms of `{package}`, top first |")[2].partition("\n\n")[0]
    rows = [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table.splitlines()[2:]]
    assert rows == rooms(package)
