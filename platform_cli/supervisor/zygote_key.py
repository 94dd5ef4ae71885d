"""Decides which releases can share a zygote.

Libraries read their configuration when they are imported: a server that sets a variable which its layer's modules read
(FASTMCP_LOG_LEVEL, HF_HOME, OMP_NUM_THREADS) gets a zygote of its own.
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
    """Identifies a zygote, from which all workers with the same key can be forked.

    `variables` are those that its modules read when they are loaded, and those of servers with users of their own.
    """

    interpreter: Path
    layer: Path
    runtime: Path
    variables: tuple[tuple[str, str], ...] = ()

    def write(self) -> str:
        """Returns the key as text for `read`."""
        return json.dumps([*map(str, self[:3]), self.variables])

    @classmethod
    def read(cls, text: str) -> ZygoteKey:
        """Returns the key that `write` has written.

        Raises ValueError or TypeError for other text.
        """
        interpreter, layer, runtime, variables = json.loads(text)
        return cls(Path(interpreter), Path(layer), Path(runtime), tuple((name, value) for name, value in variables))

    @property
    def shared(self) -> ZygoteKey:
        """Returns the key without a server's own variables."""
        return self._replace(variables=())


def key_of(release: RunnableRelease, effects: ImportEffects) -> ZygoteKey | None:
    """Returns the key of the zygote for `release`; None if a secret decides how its modules are loaded.

    A zygote never gets secrets, so a fork would not serve as a plain process does.
    """
    early = effects.early(release.environment)
    if referenced(early):
        return None
    variables = {**release.user_variables, **early}
    return ZygoteKey(release.interpreter, release.layer, release.runtime, tuple(variables.items()))


def forkable(release: RunnableRelease) -> bool:
    """Tells whether a release's workers may be forked, which is so on Linux only: macOS frameworks refuse
    to be forked. By Landlock a worker could not see more than its zygote.
    """
    return release.cold_start_optimization and sys.platform == "linux" and not release.by_landlock
