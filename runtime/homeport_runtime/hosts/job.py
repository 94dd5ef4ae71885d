"""Describes the first order of the supervisor to a worker (platform_cli.supervisor.jobs)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..guard.access import Access
from ..loading.manifest import Manifest


@dataclass(frozen=True)
class Job:
    """Says what a worker has to do.

    `mode` is `serve` or `inspect`. `names` are host names beside the loopback ones, None to answer to all. After
    `idle_s` seconds without requests the worker reports that it is idle. `alone` means that it shares its project's
    sockets with no other worker.

    `secrets` are the values in `environment` that no output may show, by name. Of the platform's folders `hidden` it
    sees only what is `writable`; it cannot change what is `protected`. Landlock says so if it is `by_landlock`, else
    mounts. It runs as `user` with the home folder `home`, both None for the platform's own. `tools` are those of an
    earlier contract of the server, None to warm up. `access` says who may call, None to serve everyone. With `record`
    an inspection also records the answers that are the same for every client. `calls` is the file with the calls that
    are being answered, `windows` the one in which calls are counted under [limits], and `reads` are the tools that only
    read. `origin` are fields of each record where output is stored as it is, None where a supervisor completes it.
    `audit` says what the audit log keeps of a call's `arguments`, and which names it hides (`redact`), None without
    such a log. With `operations` all operations have records, and not tool calls alone. `relay_key` is a secret of all
    replicas of an image, None where a supervisor relays.
    """

    mode: str
    manifest: Manifest
    bundle: Path
    workdir: Path
    layer: Path
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    names: tuple[str, ...] | None
    idle_s: float
    alone: bool
    state_key: bytes | None
    hidden: tuple[Path, ...]
    writable: tuple[Path, ...]
    protected: tuple[Path, ...]
    by_landlock: bool
    user: int | None
    home: Path | None
    tools: Sequence[Mapping[str, Any]] | None
    access: Access | None
    record: bool
    calls: Path | None
    windows: Path | None
    reads: tuple[str, ...]
    origin: Mapping[str, str] | None
    audit: Mapping[str, Any] | None
    operations: bool
    relay_key: bytes | None

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Job:
        key = message.get("state_key")
        # Apart, since runtimes of earlier versions would want namespaces for it.
        landlock = message.get("landlock")
        room = landlock or message
        return cls(
            mode=message["mode"],
            manifest=Manifest.read(message["manifest"]),
            bundle=Path(message["bundle"]),
            workdir=Path(message["workdir"]),
            layer=Path(message["layer"]),
            environment=message["environment"],
            secrets=message.get("secrets", {}),
            names=None if message["names"] is None else tuple(message["names"]),
            idle_s=message["idle_s"],
            alone=message["alone"],
            state_key=bytes.fromhex(key) if key else None,
            hidden=tuple(map(Path, room.get("hidden", ()))),
            writable=tuple(map(Path, room.get("writable", ()))),
            protected=tuple(map(Path, room.get("protected", ()))),
            by_landlock=landlock is not None,
            user=message.get("user"),
            home=Path(message["home"]) if message.get("home") else None,
            tools=message.get("tools"),
            access=Access.read(message.get("access")),
            record=message.get("record", False),
            calls=Path(message["calls"]) if message.get("calls") else None,
            windows=Path(message["windows"]) if message.get("windows") else None,
            reads=tuple(message.get("reads", ())),
            origin=message.get("origin"),
            audit=message.get("audit"),
            operations=message.get("operations", False),
            relay_key=relay_key.encode() if (relay_key := message.get("relay_key")) else None,
        )
