"""What importing a layer's modules does that matters to a fork, as zygotes have found it; kept beside the layer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..home import write_atomic
from .zygote_messages import Loaded

# Read by C libraries when they are loaded, where nobody sees it.
EARLY_VARIABLES = ("LD_", "MALLOC_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "GOTO_", "BLIS_")


@dataclass(frozen=True, slots=True)
class ImportEffects:
    """`unforkable` modules start threads that stay when they are imported. `names` are variables that were looked at
    meanwhile; `packages` looked at all of them, for those that begin with the package's name.
    """

    unforkable: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def with_loaded(self, answer: Loaded, modules: Sequence[str]) -> ImportEffects:
        """These and what a zygote answered when it had loaded `modules`."""
        packages = answer.packages
        if packages is None:
            packages = tuple(module.partition(".")[0] for module in modules)
        return ImportEffects(
            _union(self.unforkable, [answer.offender] if answer.offender else []),
            _union(self.names, answer.names),
            _union(self.packages, packages),
        )

    def early(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Those variables of a server that its modules look at when they are loaded."""
        return {name: text for name, text in sorted(environment.items()) if self._is_early(name)}

    def _is_early(self, name: str) -> bool:
        prefixes = tuple(f"{package.lower()}_" for package in self.packages)
        return name.startswith(EARLY_VARIABLES) or name in self.names or name.lower().startswith(prefixes)


def read_effects(layer: Path, runtime: Path) -> ImportEffects:
    try:
        kept = json.loads(_file(layer, runtime).read_bytes())
        return ImportEffects(**{name: tuple(found) for name, found in kept.items()})
    except (OSError, ValueError, TypeError):
        return ImportEffects()


def write_effects(layer: Path, runtime: Path, effects: ImportEffects) -> None:
    write_atomic(_file(layer, runtime), json.dumps(asdict(effects)).encode())


def _file(layer: Path, runtime: Path) -> Path:
    """A runtime's own, since another one may fork what this one cannot."""
    return layer.with_name(f"{layer.name}.{runtime.name}.effects.json")


def _union(known: Iterable[str], found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*known, *found}))
