"""Describes a release as far as the supervisor has to know it to run it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from homeport_runtime.guard.access import Access
from homeport_runtime.hosts.confinement import means
from homeport_runtime.hosts.container.layout import Layout
from homeport_runtime.hosts.users import HOME
from homeport_runtime.loading.environment import INHERITED, QUIET, REFERENCE
from homeport_runtime.loading.manifest import KEYS

from ..config.issuers import Issuer, Login, issuer_of
from ..config.project import AuditSettings
from ..home import Home
from ..own_code import uv_folder
from ..pipeline.manifest import read_manifest
from ..secrets.references import resolve

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import AuditData

# The folders of a release in its container, and the variables that its image may have set in another way.
INSIDE = Layout()
CONTAINER_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": str(INSIDE.home),
    "LANG": "C.UTF-8",
}
# The name by which a server knows its own user, which has no entry in the machine's list.
USER = "server"


@dataclass(frozen=True, slots=True)
class Container:
    """Describes the container of a release: its image in the engine, and the engine's network that it is in.

    Its processes together run on `cpus` processors at most, None for all.
    """

    image: str
    network: str
    cpus: float | None = None


def base_environment() -> dict[str, str]:
    """Returns the variables that every server's processes have before its own."""
    return {**{name: os.environ[name] for name in INHERITED if name in os.environ}, **QUIET}


@dataclass(frozen=True, slots=True)
class RunnableRelease:
    """Is a release that can be run.

    `manifest` is what the runtime reads of it, `environment` the server's own variables as configured. After `idle_s`
    seconds without requests a worker stops, and after `unresponsive_s` without a sign of life another takes over.
    `stop_first` means that no two workers can run at a time. `domains` are host names it answers to beside the loopback
    ones.

    `modules` are the library modules its server imports, as inspected, or before that as its source says. `tools` are
    those that its server listed, None if it has no list. `endpoints` are the paths at which clients connect, none where
    the server's own guard decides.

    `secrets` decrypts the values that `environment` refers to; it is called when a worker starts, and may raise
    PlatformError. `hidden` are the folders of which its processes see only what is theirs, none where the system cannot
    hide folders; `by_landlock` says how. `path` is the PATH of whoever deployed it.

    `user` is the one that they run as, of which the home folder is in the project's, None for the platform's own
    (own_user.py).

    `auth` is what the configuration says of callers, `guarded` means that the server itself authenticates them, and
    `access` says whom the platform lets in, None for everyone. `container` is where its processes run, None for this
    machine itself. `audit` is what the configuration says of the audit log.
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
    by_landlock: bool = False
    user: int | None = None
    path: str = field(default_factory=lambda: os.environ.get("PATH", os.defpath))
    auth: str | None = None
    login: Login | None = field(default=None, compare=False)
    issuer: Issuer | None = None
    users: Mapping[str, tuple[str, ...]] | None = field(default=None, compare=False)
    guarded: bool = False
    access: Access | None = None
    unresponsive_s: float = 60.0
    container: Container | None = None
    audit: AuditSettings | None = None

    def fingerprint(self) -> str:
        """Returns a hash of everything with which a worker is started: of two releases with the same one, either may
        serve.
        """
        compared = [getattr(self, each.name) for each in fields(self) if each.compare]
        return hashlib.sha256(repr(compared).encode()).hexdigest()

    @property
    def audited(self) -> AuditSettings | None:
        """Returns what its audit log keeps, None without one: where everyone may call and nobody asked for it."""
        return self.audit or (AuditSettings() if self.access is not None else None)

    @property
    def hears_audit(self) -> bool:
        """Tells whether its workers refuse calls while the audit log has no room; runtimes of earlier versions do not
        know of it.
        """
        return (self.runtime / "homeport_runtime" / "guard" / "audit.py").exists()

    @property
    def hears_access(self) -> bool:
        """Tells whether its workers can be told, while they run, who may call; runtimes of earlier versions have to
        start anew.
        """
        return (self.runtime / "homeport_runtime" / "guard" / "access.py").exists()

    @property
    def user_variables(self) -> dict[str, str]:
        """Returns the variables of a login that all servers with users of their own have in common."""
        if self.user is None:
            return {}
        return {"HOME": str(self.hidden[0] / HOME), "USER": USER, "LOGNAME": USER}

    def lets_in(self, access: Access) -> Access:
        """Returns the part of `access` that its workers can enforce: without [scopes] no token could be held to its
        own.
        """
        if self.manifest.get("scopes"):
            return access
        return replace(access, tokens=tuple(each for each in access.tokens if each.scopes is None))

    def start_environment(self) -> dict[str, str]:
        """Returns the variables that a plain process is started with, for C libraries that read them early; everybody
        can see them.
        """
        open_to_all = {name: text for name, text in self.environment.items() if not REFERENCE.search(text)}
        return {**base_environment(), **self.user_variables, **open_to_all}

    def worker_environment(self, secrets: Mapping[str, str]) -> dict[str, str]:
        own = {"HOMEPORT_PROJECT": self.project, "HOMEPORT_RELEASE": f"v{self.number}"}
        if self.container is not None:
            return {**QUIET, **CONTAINER_ENVIRONMENT, **resolve(self.environment, secrets), **own}
        base = {**base_environment(), **self.user_variables}
        made = {**base, "PATH": self.path, **resolve(self.environment, secrets), **own}
        return {**made, "PATH": os.pathsep.join(filter(None, (made["PATH"], uv_folder())))}


def _audit(data: AuditData | None) -> AuditSettings | None:
    if data is None:
        return None
    kept = cast("Literal['redacted', 'full', 'hash', 'none']", data["arguments"])
    return AuditSettings(kept, tuple(data["redact"]), data["keep_days"], data["required"])


def read_release(home: Home, project: str, number: int, bundle: Path, names: Sequence[str] = ()) -> RunnableRelease:
    """Reads a release from the manifest in the bundle's folder, which names everything it needs by content hash.

    `names` are host names that the platform gives the project, beside its own. Raises BuildError if the bundle does not
    exist, or has been changed.
    """
    manifest = read_manifest(bundle)
    scaling = manifest["scaling"]
    # Sessions live in one process, and without auto_scaling one worker is what was asked for.
    stop_first = manifest.get("stop_first", False)
    confined_by = means(home.root)
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
        # Releases of earlier versions do not have it.
        unresponsive_s=scaling.get("unresponsive_s", 60.0),
        start_timeout_s=manifest["start_timeout_s"],
        files=manifest["files"],
        folders=tuple(manifest.get("folders", ())),
        modules=tuple(manifest["imports"]["modules"] if "imports" in manifest else manifest["preload"]),
        tools=contract["tools"] if (contract := manifest.get("contract")) else None,
        cold_start_optimization=manifest["cold_start_optimization"],
        endpoints=_endpoints(contract) if contract else (),
        auth=manifest.get("auth"),
        login=Login(**login) if (login := manifest.get("login")) else None,
        issuer=issuer_of(manifest.get("issuer")),
        audit=_audit(manifest.get("audit")),
        users=_users(manifest.get("users")),
        guarded=bool(contract and contract.get("guarded")),
        hidden=home.private if confined_by else (),
        by_landlock=confined_by == "landlock",
    )


def _users(said: Mapping[str, list[str]] | None) -> dict[str, tuple[str, ...]] | None:
    return {name: tuple(scopes) for name, scopes in said.items()} if said is not None else None


def _endpoints(contract: Mapping[str, Any]) -> tuple[str, ...]:
    if contract.get("guarded"):
        return ()
    return tuple(endpoint["path"] for endpoint in contract.get("endpoints") or ({"path": "/mcp"},))
