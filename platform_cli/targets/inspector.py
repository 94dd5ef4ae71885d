"""Inspects a server in a process of its own on this machine, for a target that has no platform to load it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeport_runtime.telemetry.scrub import Scrubber

from ..api.inspection import Inspected
from ..home import Home
from ..pipeline.model import Bundle
from ..supervisor.inspection import inspect_release
from ..supervisor.launch import PlainLauncher
from ..supervisor.release import read_release


class ProcessInspector:
    """Loads the server with `secrets` once, for the contract and for the answers that are the same for every client."""

    def __init__(self, home: Home, secrets: Mapping[str, str], *, record: bool = False) -> None:
        self._home = home
        self._secrets = secrets
        self._record = record
        self._said: Inspected | None = None

    def __call__(self, folder: Path) -> Inspected:
        """Returns what the server in the bundle or draft in `folder` reports.

        Raises InspectError with the server's own reason.
        """
        release = replace(read_release(self._home, "inspection", 0, folder), secrets=lambda: self._secrets)
        self._said = asyncio.run(inspect_release(PlainLauncher(), release, record=self._record))
        return self._said

    def discovery(self, bundle: Bundle) -> dict[str, Any] | None:
        """Returns the content of discovery.json.

        It is None if it is not wanted, or if it contains a secret: the server may tell it to everyone, but no file
        does.
        """
        if not self._record:
            return None
        found: dict[str, Any] | None = (self._said or self(bundle.path))["discovery"]
        scrubber = Scrubber(self._secrets)
        is_told = found is not None and any(scrubber.text(body) != body for _, _, body in found["kept"])
        return None if is_told else found
