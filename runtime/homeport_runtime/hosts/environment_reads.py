"""Records which environment variables a zygote's modules read while they are loaded, since they keep what they found.

What C libraries read with getenv(3) is not recorded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class EnvironmentReads:
    """Holds the `names` that were read one by one, and the `packages` that read all, as settings with a prefix do."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.packages: set[str] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Replaces the class of os.environ, and not the object, which modules may hold (`from os import environ`)."""
        names, packages = self.names, self.packages

        class Watched(os._Environ[str]):
            def __getitem__(self, name: str) -> str:
                names.add(name)
                return super().__getitem__(name)

            def __iter__(self) -> Iterator[str]:
                packages.update(_calling_packages())
                return super().__iter__()

        original = os.environ.__class__
        os.environ.__class__ = Watched
        try:
            yield
        finally:
            os.environ.__class__ = original


def _calling_packages() -> Iterator[str]:
    """Yields every package on the stack, since a settings library reads on behalf of the package that uses it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        if package not in sys.stdlib_module_names and package not in ("homeport_runtime", "__main__"):
            yield package
        frame = frame.f_back
