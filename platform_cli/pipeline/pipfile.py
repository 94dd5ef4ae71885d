"""Converts a Pipfile into the form of requirements.txt: https://pipenv.pypa.io/en/latest/pipfile.html."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..config.pyproject import table
from ..errors import ConfigError
from .pyproject import load_toml


def pipfile_text(file: Path) -> str:
    """Returns the sources and [packages] of a Pipfile.

    Raises ConfigError if it is malformed.
    """
    data = load_toml(file)
    return "".join(f"{line}\n" for line in [*_sources(data), *_packages(table(data, "packages"))])


def _sources(data: dict[str, Any]) -> Iterator[str]:
    for number, source in enumerate(data.get("source", [])):
        if isinstance(url := source.get("url"), str):
            yield f"{'--extra-index-url' if number else '--index-url'} {url}"


def _packages(packages: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in packages.items():
        entry = {"version": wanted} if isinstance(wanted, str) else wanted
        if not isinstance(entry, dict):
            raise ConfigError(f"Pipfile: {name} is neither a version nor a table")
        extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
        marker = f" ; {entry['markers']}" if entry.get("markers") else ""
        if "path" in entry:
            path = str(entry["path"])
            yield f"{path if path.startswith(('.', '/')) else f'./{path}'}{extras}{marker}"
        elif "git" in entry:
            revision = f"@{entry['ref']}" if entry.get("ref") else ""
            yield f"{name}{extras} @ git+{entry['git'].removeprefix('git+')}{revision}{marker}"
        else:
            version = entry.get("version", "*")
            yield f"{name}{extras}{'' if version == '*' else version}{marker}"
