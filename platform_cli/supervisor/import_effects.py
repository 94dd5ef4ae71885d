"""Records effects of importing a layer's modules that matter to a fork; zygotes find them, and a file keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..home import write_atomic
from .zygote_messages import Loaded

# Prefixes of variables that C libraries read when they are loaded, which cannot be observed.
EARLY_VARIABLES = ("LD_", "MALLOC_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "GOTO_", "BLIS_")


@dataclass(frozen=True, slots=True)
class ImportEffects:
    """Holds the effects of importing a layer's modules.

    `unforkable` modules start threads that stay. `names` are variables that were read; `packages` read all variables,
    for those that begin with the package's name.
    """

    unforkable: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def with_loaded(self, answer: Loaded, modules: Sequence[str]) -> ImportEffects:
        """Adds the effects that a zygote reported when it had loaded `modules`."""
        packages = answer.packages
        if packages is None:
            packages = tuple(module.partition(".")[0] for module in modules)
        return ImportEffects(
            _union(self.unforkable, [answer.offender] if answer.offender else []),
            _union(self.names, answer.names),
            _union(self.packages, packages),
        )

    def early(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Returns those variables of a server that its modules read when they are loaded."""
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
    """Returns a file of this runtime's own, since another one may fork what this one cannot."""
    return layer.with_name(f"{layer.name}.{runtime.name}.effects.json")


def _union(known: Iterable[str], found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*known, *found}))
