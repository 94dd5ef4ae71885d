"""What the supervisor tells a worker first (platform_cli.supervisor.jobs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..loading.manifest import Manifest


@dataclass(frozen=True)
class Job:
    """`mode` is `serve` or `inspect`; `names` are host names beside the loopback ones; `idle_s` the seconds without
    requests after which it says that it is idle; `alone` that it shares its project's sockets with no other; `secrets`
    the values in `environment` that no output may show, by name; `hidden` the platform's folders of which it may see
    nothing but what is `writable`, and `protected`, which it may not change; `tools` what the server has listed in a
    worker that warmed up before; `token_hash` that of the bearer token which callers must have, if any; `record` that
    an inspection also tells what the server says to every client alike; `calls` the file that has the calls which it
    answers.
    """

    mode: str
    manifest: Manifest
    bundle: Path
    workdir: Path
    layer: Path
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    names: tuple[str, ...]
    idle_s: float
    alone: bool
    state_key: bytes | None
    hidden: tuple[Path, ...]
    writable: tuple[Path, ...]
    protected: tuple[Path, ...]
    tools: Sequence[Mapping[str, Any]] | None
    token_hash: str | None
    record: bool
    calls: Path | None

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Job:
        key = message.get("state_key")
        return cls(
            mode=message["mode"],
            manifest=Manifest.read(message["manifest"]),
            bundle=Path(message["bundle"]),
            workdir=Path(message["workdir"]),
            layer=Path(message["layer"]),
            environment=message["environment"],
            secrets=message.get("secrets", {}),
            names=tuple(message["names"]),
            idle_s=message["idle_s"],
            alone=message["alone"],
            state_key=bytes.fromhex(key) if key else None,
            hidden=tuple(map(Path, message.get("hidden", ()))),
            writable=tuple(map(Path, message.get("writable", ()))),
            protected=tuple(map(Path, message.get("protected", ()))),
            tools=message.get("tools"),
            token_hash=message.get("token_hash"),
            record=message.get("record", False),
            calls=Path(message["calls"]) if message.get("calls") else None,
        )
