"""Defines the types of what stands in manifest.json.

They have a module of their own, which is imported for types alone: neither a worker's start nor a deploy waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class EntrypointData(TypedDict):
    """Points to a server in a file, relative to the app folder; without `object` the server is searched in the file."""

    file: str
    object: str | None


class ProgramData(TypedDict):
    """Describes the program `python -m module`, or with `function` the console script `module:function`.

    `name` is the name by which it was called.
    """

    module: str
    function: str | None
    name: str


class ScalingData(TypedDict):
    """Sets the number of workers and how many requests each may have at once; without `auto` there is one worker.

    An idle one ends after `idle_s` seconds, and one without a heartbeat gets a successor after `unresponsive_s`
    seconds.
    """

    min: int
    max: int
    idle_s: float
    concurrency: int
    unresponsive_s: float
    auto: bool


class AuditData(TypedDict):
    """Says what the audit log keeps of a call's `arguments` (`redacted`, `full`, `hash`, `none`), which names are
    redacted beside the usual ones, for how many days, and whether it is `required` for a call.
    """

    arguments: str
    redact: Sequence[str]
    keep_days: int
    required: bool


class InterpreterData(TypedDict):
    """Describes the Python that the packages are for: its executable and its version (`3.11.7`)."""

    path: str
    version: str


class UntriedData(TypedDict):
    """Holds a library that is newer than the versions that homeport was
    tried with (homeport_runtime.libraries.tried).
    """

    library: str
    version: str


class GapData(TypedDict):
    """Holds a part of a library that homeport did not find, and what its
    lack means (homeport_runtime.libraries.gaps).
    """

    library: str
    part: str
    effect: str


class ServerData(TypedDict):
    """Describes what the inspection found: the server's kind, its name in the file, and in words why it was `chosen`.

    `untried` and `gaps` are what a deploy reports about its libraries.
    """

    kind: str
    object: str | None
    chosen: str
    untried: Sequence[UntriedData]
    gaps: Sequence[GapData]


class ImportsData(TypedDict):
    """Lists the modules that the server had imported at its inspection, the slowest packages, and the
    seconds of all.
    """

    modules: Sequence[str]
    packages: Sequence[tuple[str, float]]
    seconds: float


class ScopesData(TypedDict):
    """Says which scopes each tool, `resource:URI`, `prompt:NAME` or `*` needs, None where nobody may use it.

    `implies` has the scopes that each scope contains.
    """

    rules: dict[str, list[str] | None]
    implies: dict[str, list[str]]


class ToolLimitData(TypedDict):
    """Limits one tool: a `rate` is a number of calls and the seconds that they are for, None without."""

    rate: list[float] | None
    timeout_s: float | None


class LimitsData(TypedDict):
    """Holds the rates per client, of tools that read and that write, and the seconds that a call may take."""

    read: list[float] | None
    write: list[float] | None
    timeout_s: float | None
    tools: dict[str, ToolLimitData]
    clients: dict[str, dict[str, list[float] | None]]


class LoginData(TypedDict):
    """Describes where people sign in (platform_cli.config.issuers.Login)."""

    service: str
    client_id: str


class IssuerData(TypedDict):
    """Describes the authorization server of the user's own (platform_cli.config.issuers.Issuer)."""

    url: str
    audience: list[str]
    scope_claim: str


class DraftData(TypedDict):
    """Is manifest.json before the inspection: all that decides how the server runs; its hash is the bundle's name.

    `environment` are the server's variables, which refer to secrets and do not have their values. `lock`, `layer` and
    `runtime` are hashes; `files` are the app's files with the SHA-256 of each, `folders` those without files, `roots`
    the folders from which its packages are imported. `preload` are the modules that its source imports.
    `auth` says who may call, and `users` the scopes that users may get, None if nobody has said so.
    """

    format: int
    entrypoint: EntrypointData | None
    program: ProgramData | None
    args: list[str]
    command: list[str] | None
    sessions: bool
    start_timeout_s: float
    memory_mb: int
    environment: dict[str, str]
    scaling: ScalingData
    cold_start_optimization: bool
    domains: list[str]
    origins: list[str]
    stop_first: bool
    auth: str | None
    users: dict[str, list[str]] | None
    login: LoginData | None
    issuer: IssuerData | None
    scopes: ScopesData | None
    limits: LimitsData | None
    audit: AuditData | None
    interpreter: InterpreterData
    lock: str
    layer: str
    runtime: str
    roots: list[str]
    files: dict[str, str]
    folders: list[str]
    preload: list[str]


class ManifestData(DraftData):
    """Is manifest.json of a bundle.

    `contract` is what the server offers, in MCP's own words; None for an app without MCP. Bundles of earlier versions
    lack some keys, which have to be read with `get`.
    """

    server: ServerData
    contract: Mapping[str, Any] | None
    imports: ImportsData
