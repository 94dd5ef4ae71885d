"""Lists the versions of libraries that homeport was tried with, beyond which parts that it relies on may have moved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# The oldest and the newest version of each distribution that `make sdk-matrix` and the tests have served.
TRIED: Mapping[str, tuple[str, str]] = {
    "fastmcp": ("2.2.0", "4.2.3"),
    "mcp": ("1.0.0", "2.3.0"),
    "pydantic": ("2.7.2", "2.14.4"),
    "sse-starlette": ("1.6.1", "3.7.0"),
    "starlette": ("0.27", "1.10.0"),
    "uvicorn": ("0.30", "0.54.0"),
}
# The libraries whose minor releases change what servers are made of.
SDKS = ("fastmcp", "mcp")


@dataclass(frozen=True)
class Untried:
    """Is a library in a layer whose minor release is later than the newest that was tried."""

    library: str
    version: str

    @property
    def tried(self) -> str:
        """Returns the newest minor release that was tried, such as 4.2."""
        return _text(_minor(TRIED[self.library][1]))

    @property
    def pin(self) -> str:
        """Returns the requirement that limits the library to what was tried."""
        return f"{self.library}{limit(self.library)}"

    def sentence(self, homeport: str) -> str:
        """Returns the sentence for the person, who has the version `homeport`."""
        return f"homeport {homeport} has been tried with {self.library} up to {self.tried}; this is {self.version}"


def limit(library: str) -> str:
    """Returns the version specifier that limits `library` to what was tried."""
    major, minor = _minor(TRIED[library][1])
    return f"<{_text((major, minor + 1))}"


def untried(layer: Path) -> Iterator[Untried]:
    """Yields the libraries in `layer` that are newer than what was tried, by their metadata."""
    for path in sorted(layer.glob("*.dist-info")):
        name, _, version = path.name.removesuffix(".dist-info").partition("-")
        library = name.lower().replace("_", "-")
        if library in TRIED and _minor(version) > _minor(TRIED[library][1]):
            yield Untried(library, version)


def untried_sdks(layer: Path) -> Iterator[Untried]:
    """Yields the untried libraries of a layer that servers are made of."""
    return (each for each in untried(layer) if each.library in SDKS)


def _minor(version: str) -> tuple[int, int]:
    """Returns the major and minor number of a version, (0, 0) if it has another form."""
    found = re.match(r"(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def _text(minor: tuple[int, int]) -> str:
    return ".".join(map(str, minor))
