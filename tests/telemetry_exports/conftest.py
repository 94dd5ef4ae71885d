"""Gives what is exported the store that telemetry's own tests have."""

from __future__ import annotations

from tests.telemetry.conftest import path, store

__all__ = ["path", "store"]
