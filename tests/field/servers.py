"""Lists real servers: which version of which package, and what it wants to be started with."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

LIST = Path(__file__).with_name("servers.toml")

Way = Literal["package", "program", "folder"]


@dataclass(frozen=True, slots=True)
class Server:
    """Is one server as it is deployed: a package of a registry, a program of a package that has several, or the project
    folder that its source distribution holds.

    `program` is what starts it by hand: a console script, or a module after `-m`. `bounds` are the requirements that
    it forgot to state and does not run without today, `python` the Python that it wants (`>=3.12`). `url` is where it
    listens by hand if it does not speak stdio.
    """

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    way: Way = "package"
    program: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    bounds: tuple[str, ...] = ()
    python: str | None = None
    url: str = ""

    @property
    def project(self) -> str:
        """Returns a name that homeport takes for its project."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def requirement(self) -> str:
        """Returns what the registry's own client installs."""
        return f"{self.name}{'==' if self.registry == 'pypi' else '@'}{self.version}"


def listed() -> list[Server]:
    """Returns every server of the list in its order, once for each way in."""
    registries = tomllib.loads(LIST.read_text())
    return [
        Server(
            registry="pypi" if registry == "pypi" else "npm",
            name=entry["name"],
            version=entry["version"],
            way=way,
            program=tuple(entry.get("program", entry["name"].rpartition("/")[2]).split()),
            args=tuple(entry.get("args", ())),
            env=entry.get("env", {}),
            bounds=tuple(entry.get("bounds", ())),
            python=entry.get("python"),
            url=entry.get("url", ""),
        )
        for registry, entries in registries.items()
        for entry in entries
        for way in entry.get("ways", ["package"])
    ]
