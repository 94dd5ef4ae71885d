"""What the user wrote, validated, with the defaults filled in: the first value of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Architecture = Literal["arm64", "x86_64"]


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """A server in a file: `file` relative to the project folder (POSIX form), `object` its name, None to search."""

    file: str
    object: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.object}" if self.object else self.file


@dataclass(frozen=True, slots=True)
class Program:
    """A Python program that is run as it is by hand: `python -m module`, or with `function` the console script
    `module:function`. `name` is what it finds in sys.argv[0].
    """

    module: str
    function: str | None = None
    name: str = ""

    def __str__(self) -> str:
        return f"{self.module}:{self.function}" if self.function else f"python -m {self.module}"


@dataclass(frozen=True, slots=True)
class Scaling:
    """`min` and `max` workers, None where nobody said how many at most; `idle_s` seconds without requests before zero;
    `concurrency` requests per worker; `unresponsive_s` seconds without a sign of life before another worker takes over.
    """

    min: int = 0
    max: int | None = None
    idle_s: float = 300.0
    concurrency: int = 16
    unresponsive_s: float = 60.0

    @property
    def workers(self) -> int:
        """At most, on a machine."""
        return self.max or 1


@dataclass(frozen=True, slots=True)
class Statement:
    """Of an IAM policy: these actions are allowed on these resources."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """Of a VPC, where a function is: the ids of its subnets and security groups."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LambdaSettings:
    """A function on AWS Lambda. `region` is None for the one that AWS's own settings name; `memory_mb` is an
    instance's, `timeout_s` bounds one request and so one stream, `log_days` is how long logs are kept.

    `permissions` are what its role allows beside what homeport needs, `policies` are the managed ones that are attached
    to it, None for those that are; `role` is one that somebody else looks after, `boundary` the policy beyond which the
    role may do nothing. `vpc` is where the function is, `layers` come below homeport's own, `kms_key` encrypts its
    environment, `tags` are on all that is made. `front` is what leads its own host names to it: a distribution of
    CloudFront, with the `web_acl` of a firewall, or something of the user's own. `import_first` is whether an instance
    imports the server before it takes its first request.
    """

    region: str | None = None
    architecture: Architecture = "arm64"
    memory_mb: int = 1024
    timeout_s: int = 300
    log_days: int = 30
    snap_start: bool = False
    permissions: tuple[Statement, ...] = ()
    policies: tuple[str, ...] | None = None
    role: str | None = None
    boundary: str | None = None
    vpc: Network | None = None
    layers: tuple[str, ...] = ()
    kms_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    front: Literal["cloudfront", "own"] = "cloudfront"
    web_acl: str | None = None
    import_first: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """What `[stages.NAME]` says, by table as the schema reads it: it changes how a project runs, never what runs."""

    tables: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Project:
    """One project. Exactly one of `entrypoint`, `program`, `script` and `command` is set.

    An entry point without an object is run as `python FILE` is, with one it is imported. `script` names a program that
    the installed packages bring: a console script, or a module; the build finds out which `program` or, for packages of
    npm, which `command` that is. `args` are the arguments of the entry point, the program or the script. `chosen` says
    what runs, and why, where nobody named it.

    `typed` is what was typed, relative to `folder`.

    `folder` is the root: what lies in it is the project's own. `member` is the folder within it that has the
    pyproject.toml of a member of a uv workspace, empty elsewhere. `source` is what was typed for a project that comes
    from elsewhere (`pypi:mcp-server-time`, the URL of a repository).

    `name` is None when nobody chose one: then it comes from the server object, else from the folder.
    `config_file` is the file this was read from, None if there was none.
    `environment` values may hold `${secrets.NAME}`; they are resolved when a worker starts, never here.
    `target` is None when nobody chose one. `sessions` is None when nobody said whether clients have sessions: then the
    server's code decides.
    `python_version` is a version (`3.11`) or a PEP 440 specifier (`>=3.11`). `requirements` is the file that the user
    named, relative to `folder`; `dependencies` are those written in the configuration itself (fastmcp.json's
    environment.dependencies). `extras` and `groups` are installed beside the project's own dependencies; `include` are
    paths that are deployed though an ignore file names them. `upgrade` are packages to resolve anew, all of them when
    it is empty. `origins` are foreign Origins that may call.
    `stop_first` says that two workers cannot run at the same time: the old release stops before the new one starts.
    `auth` says whether callers need a token, None that nothing was said. `block_breaking` fails the check of a pull
    request whose tools break clients. `stages` are those that it may be deployed as, by name; `stage` is the one that
    it is.
    """

    folder: Path
    entrypoint: Entrypoint | None
    program: Program | None = None
    script: str | None = None
    args: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None
    chosen: str = field(default="", compare=False)
    typed: str = field(default=".", compare=False)
    member: str = ""
    source: str = ""
    name: str | None = None
    description: str = ""
    version: str = ""
    python_version: str | None = None
    requirements: str | None = None
    dependencies: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    upgrade: tuple[str, ...] | None = None
    target: str | None = None
    on_lambda: LambdaSettings = LambdaSettings()
    sessions: bool | None = None
    start_timeout_s: float = 60.0
    memory_mb: int = 4096
    environment: Mapping[str, str] = field(default_factory=dict)
    auto_scaling: bool = True
    cold_start_optimization: bool = True
    scaling: Scaling = Scaling()
    domains: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    stop_first: bool = False
    auth: Literal["token", "none"] | None = None
    block_breaking: bool = False
    stages: Mapping[str, Stage] = field(default_factory=dict)
    stage: str | None = None
    config_file: Path | None = None

    @property
    def place(self) -> str:
        """Where the project comes from: the same place is the same project."""
        own = self.config_file.parent if self.config_file else self.folder / self.member
        return self.source or str(own)
