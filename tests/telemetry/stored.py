"""Makes operations as the platform records them."""

from __future__ import annotations

from platform_cli.telemetry.operation import Operation
from platform_cli.telemetry.store import Happened

NOW = 1_795_980_000.0


def happened(name: str | None = "add", *, at: float = NOW, project: str = "shop", **more: object) -> Happened:
    known = {"method": "tools/call", "name": name, "client": "desk/1", "kind": "ok", "ms": 10.0}
    return Happened(at, project, 1, Operation(**{**known, **more}))  # type: ignore[arg-type]
