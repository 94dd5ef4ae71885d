"""Which releases can share a zygote.

Libraries read their configuration when they are imported: a server that sets a variable which its layer's modules look
at (FASTMCP_LOG_LEVEL, HF_HOME, OMP_NUM_THREADS) has a zygote of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

from ..secrets.references import referenced
from .import_effects import ImportEffects
from .release import RunnableRelease


class ZygoteKey(NamedTuple):
    """Workers with the same key can be forked from the same zygote. `variables` are those that its modules look at when
    they are loaded.
    """

    interpreter: Path
    layer: Path
    runtime: Path
    variables: tuple[tuple[str, str], ...] = ()

    def write(self) -> str:
        """For `read`."""
        return json.dumps([*map(str, self[:3]), self.variables])

    @classmethod
    def read(cls, text: str) -> ZygoteKey:
        """Raises ValueError or TypeError."""
        interpreter, layer, runtime, variables = json.loads(text)
        return cls(Path(interpreter), Path(layer), Path(runtime), tuple((name, value) for name, value in variables))

    @property
    def shared(self) -> ZygoteKey:
        """The same without a server's own variables."""
        return self._replace(variables=())


def key_of(release: RunnableRelease, effects: ImportEffects) -> ZygoteKey | None:
    """None where a fork would not serve `release` as a plain process does: a secret decides how its modules are loaded,
    and a zygote never sees secrets.
    """
    early = effects.early(release.environment)
    if referenced(early):
        return None
    return ZygoteKey(release.interpreter, release.layer, release.runtime, tuple(early.items()))


def forkable(release: RunnableRelease) -> bool:
    """Linux only: on macOS system frameworks refuse to be forked."""
    return release.cold_start_optimization and sys.platform == "linux"
