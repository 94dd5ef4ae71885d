"""Reads the versions in the lock files of poetry, pdm and pipenv as constraints for uv."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import ConfigError
from .model import Pins
from .pyproject import load_toml


def toml_pins(folder: Path) -> Pins | None:
    """Returns the versions in the poetry.lock or pdm.lock in `folder`, None if it has neither.

    Packages from elsewhere than an index are left to the project file. See
    https://python-poetry.org/docs/basic-usage/#installing-with-poetrylock.
    """
    for name in ("poetry.lock", "pdm.lock"):
        if (folder / name).is_file():
            packages = load_toml(folder / name).get("package", [])
            return _pins(
                name,
                {
                    (package["name"], f"=={package['version']}")
                    for package in packages
                    if {"name", "version"} <= package.keys()
                    and package.get("source", {}).get("type", "legacy") == "legacy"
                    and not {"git", "url", "path"} & package.keys()
                },
            )
    return None


def pipfile_pins(folder: Path) -> Pins | None:
    """Returns the versions in the Pipfile.lock in `folder`, None without one.

    See https://pipenv.pypa.io/en/latest/pipfile.html. Raises ConfigError if it is malformed.
    """
    file = folder / "Pipfile.lock"
    if not file.is_file():
        return None
    try:
        locked: Mapping[str, Mapping[str, str]] = json.loads(file.read_bytes())["default"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError("Pipfile.lock is not what pipenv writes", hint="Run `pipenv lock`.") from error
    return _pins(file.name, {(name, entry["version"]) for name, entry in locked.items() if "version" in entry})


def _pins(file: str, versions: Iterable[tuple[str, str]]) -> Pins:
    # Imported late, since few projects have such a lock file.
    from packaging.requirements import InvalidRequirement, Requirement

    def is_valid(name: str, version: str) -> bool:
        try:
            Requirement(f"{name}{version}")
        except InvalidRequirement:
            return False
        return True

    found = list(versions)
    # A package with several versions has one for each kind of machine; uv has to choose between them.
    times = Counter(name for name, _ in found)
    return Pins(
        file,
        tuple(sorted(f"{name}{version}" for name, version in found if times[name] == 1 and is_valid(name, version))),
    )
