"""What the supervisor has to know of a release to run it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from homeport_runtime.hosts.confinement import can_hide
from homeport_runtime.loading.environment import INHERITED, QUIET, REFERENCE
from homeport_runtime.loading.manifest import KEYS

from ..home import Home
from ..own_code import uv_folder
from ..pipeline.manifest import read_manifest
from ..secrets.references import resolve


def base_environment() -> dict[str, str]:
    """What every server's processes have before its own variables."""
    return {**{name: os.environ[name] for name in INHERITED if name in os.environ}, **QUIET}


@dataclass(frozen=True, slots=True)
class RunnableRelease:
    """`manifest` is what the runtime reads of it; `environment` is the server's own, as configured; `idle_s` the
    seconds without requests before scaling to zero, None to stay; `unresponsive_s` those without a sign of life before
    another worker takes over; `stop_first` says that no two workers can run at a
    time; `domains` are host names it answers to beside the loopback ones; `modules` are the library modules its server
    imports, as inspected, or as its source says before it was; `tools` what its server listed then, None where it has
    no list; `endpoints` are the paths at which clients connect, none where the server's own guard decides. `secrets`
    decrypts the values that `environment` refers to; it is called when a worker starts, and may raise PlatformError.
    `hidden` are the folders of which its processes may see no more than what is theirs; none where the system does not
    let them be hidden. `auth` is what the configuration says of callers, `guarded` that the server itself asks them who
    they are, `path` where who deployed it finds programs, `token_hash` that of the token which the project has.
    """

    project: str
    number: int
    bundle: Path
    manifest: Mapping[str, Any]
    layer: Path
    runtime: Path
    interpreter: Path
    environment: Mapping[str, str]
    domains: tuple[str, ...]
    idle_s: float
    min_workers: int
    max_workers: int
    concurrency: int
    start_timeout_s: float
    files: Mapping[str, str]
    modules: tuple[str, ...]
    tools: Sequence[Mapping[str, Any]] | None
    cold_start_optimization: bool
    folders: tuple[str, ...] = ()
    stop_first: bool = False
    endpoints: tuple[str, ...] = ()
    secrets: Callable[[], Mapping[str, str]] = field(default=dict, compare=False)
    hidden: tuple[Path, ...] = ()
    path: str = field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    auth: str | None = None
    guarded: bool = False
    token_hash: str | None = None
    unresponsive_s: float = 60.0

    def fingerprint(self) -> str:
        """What a worker of it is started as: of two that have the same, either may serve."""
        compared = [getattr(self, each.name) for each in fields(self) if each.compare]
        return hashlib.sha256(repr(compared).encode()).hexdigest()

    def start_environment(self) -> dict[str, str]:
        """What a process of its own is started with, where everybody may see it: for what C libraries read at once."""
        open_to_all = {name: text for name, text in self.environment.items() if not REFERENCE.search(text)}
        return {**base_environment(), **open_to_all}

    def worker_environment(self, secrets: Mapping[str, str]) -> dict[str, str]:
        own = {"HOMEPORT_PROJECT": self.project, "HOMEPORT_RELEASE": f"v{self.number}"}
        made = {**base_environment(), "PATH": self.path, **resolve(self.environment, secrets), **own}
        return {**made, "PATH": os.pathsep.join(filter(None, (made["PATH"], uv_folder())))}


def read_release(home: Home, project: str, number: int, bundle: Path, names: Sequence[str] = ()) -> RunnableRelease:
    """Reads the manifest in the bundle's folder; everything a release needs is named there by content hash.

    `names` are host names that the platform gives the project, beside those of its own. Raises BuildError where the
    bundle is not there, or has been changed.
    """
    manifest = read_manifest(bundle)
    scaling = manifest["scaling"]
    # Sessions live in one process; without auto_scaling one worker is what was asked for.
    stop_first = manifest.get("stop_first", False)
    alone = manifest["sessions"] or not scaling["auto"] or stop_first
    return RunnableRelease(
        project=project,
        number=number,
        bundle=bundle,
        manifest={key: value for key, value in manifest.items() if key in KEYS},
        layer=home.layers / manifest["layer"],
        runtime=home.runtimes / manifest["runtime"],
        interpreter=Path(manifest["interpreter"]["path"]),
        environment=manifest["environment"],
        domains=(*manifest["domains"], *names),
        idle_s=scaling["idle_s"],
        stop_first=stop_first,
        min_workers=min(scaling["min"], 1) if alone else scaling["min"],
        max_workers=1 if alone else scaling["max"],
        concurrency=scaling["concurrency"],
        # Releases that were made by an earlier homeport say nothing of it.
        unresponsive_s=scaling.get("unresponsive_s", 60.0),
        start_timeout_s=manifest["start_timeout_s"],
        files=manifest["files"],
        folders=tuple(manifest.get("folders", ())),
        modules=tuple(manifest["imports"]["modules"] if "imports" in manifest else manifest["preload"]),
        tools=contract["tools"] if (contract := manifest.get("contract")) else None,
        cold_start_optimization=manifest["cold_start_optimization"],
        endpoints=_endpoints(contract) if contract else (),
        auth=manifest.get("auth"),
        guarded=bool(contract and contract.get("guarded")),
        hidden=home.private if can_hide(home.root) else (),
    )


def _endpoints(contract: Mapping[str, Any]) -> tuple[str, ...]:
    if contract.get("guarded"):
        return ()
    return tuple(endpoint["path"] for endpoint in contract.get("endpoints") or ({"path": "/mcp"},))
