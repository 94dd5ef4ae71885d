"""Defines the Project, which is what the user wrote, validated and with defaults: the first value of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .image_reference import Reference
    from .issuers import Issuer, Login
    from .limits import Limits
    from .scopes import ScopeRules

Architecture = Literal["arm64", "x86_64"]


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """Names a server in a file.

    `file` is relative to the project folder (POSIX form). `object` is the server's name in it, None to search for it.
    """

    file: str
    object: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.object}" if self.object else self.file


@dataclass(frozen=True, slots=True)
class Program:
    """Names a Python program that is run as it is by hand.

    That is `python -m module`, or with `function` the console script `module:function`. `name` becomes its sys.argv[0].
    """

    module: str
    function: str | None = None
    name: str = ""

    def __str__(self) -> str:
        return f"{self.module}:{self.function}" if self.function else f"python -m {self.module}"


@dataclass(frozen=True, slots=True)
class Scaling:
    """Holds how many workers a project gets.

    `min` and `max` are numbers of workers, with None for no `max` given. A worker stops after `idle_s` seconds without
    a request, handles up to `concurrency` requests at a time, and is replaced after `unresponsive_s` seconds without a
    sign of life.
    """

    min: int = 0
    max: int | None = None
    idle_s: float = 300.0
    concurrency: int = 16
    unresponsive_s: float = 60.0

    @property
    def workers(self) -> int:
        """Returns the highest number of workers on a machine."""
        return self.max or 1


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Holds what the audit log keeps of a call's `arguments`, and for how many days.

    `redact` are names of arguments that are redacted beside the usual ones. With `required` a call that cannot be
    written into the log is refused.
    """

    arguments: Literal["redacted", "full", "hash", "none"] = "redacted"
    redact: tuple[str, ...] = ()
    keep_days: int = 365
    required: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """Is a statement of an IAM policy that allows these actions on these resources."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """Holds the ids of the subnets and security groups of a function in a VPC."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LambdaSettings:
    """Holds the settings of a function on AWS Lambda.

    `region` is None for the region in AWS's own settings. `memory_mb` is the memory of one instance. `timeout_s` limits
    one request, and so one stream. `log_days` is how long logs are kept.

    `permissions` are allowed to the function's role beside what homeport needs. `policies` are the managed policies of
    the role, None to keep those that are attached. `role` is a role that the user manages instead, `boundary` the
    permissions boundary of homeport's own. `vpc` is the function's network, `layers` lie below homeport's layers,
    `kms_key` encrypts the function's environment, and `tags` are on every resource. `front` is what leads the project's
    own host names to the function: a CloudFront distribution, with `web_acl` as its firewall, or something of the
    user's own. With `import_first` an instance imports the server before its first request, which the runtime decides
    by the memory if it is None. With `metrics` calls are metrics of CloudWatch.
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
    import_first: bool | None = None
    metrics: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSettings:
    """Holds the settings of a container image.

    `base` is the image that it is based on, None for Docker's official one of the project's Python. `architecture` is
    its processor, None for this machine's. In a container of the platform's the server reaches `network` and has `cpus`
    processors at most, None for all; in others it has what they give it.
    """

    base: Reference | None = None
    architecture: Architecture | None = None
    network: Literal["bridge", "none"] = "bridge"
    cpus: float | None = None


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """Holds the settings of a project on a Kubernetes cluster.

    `image` is the repository of its images, None if none was named. `namespace` and `context` are None for those of the
    kubeconfig. There are `replicas` pods, None for as many as scaling says. `claim` is the PersistentVolumeClaim that
    all pods mount, `pull_secret` the Secret with which nodes pull the image.
    """

    image: Reference | None = None
    namespace: str | None = None
    context: str | None = None
    replicas: int | None = None
    claim: str | None = None
    pull_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """Holds the tables of `[stages.NAME]` as the schema reads them: they change how a project runs, never what runs."""

    tables: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Project:
    """Is one project, of whose `entrypoint`, `program`, `script` and `command` exactly one is set.

    An entry point without an object is run as `python FILE`, one with an object is imported. `script` names a program
    of the installed packages, a console script or a module; the build finds out which `program` it is, or for packages
    of npm which `command`. `args` are the arguments of the entry point, the program or the script. `chosen` says what
    runs and why, where nobody named it.

    `typed` is what was typed, relative to `folder`.

    `folder` is the root: every file in it is the project's own. `member` is the folder within it of the member of a uv
    workspace that is deployed, else empty. `source` is what was typed for a project that is fetched from elsewhere
    (`pypi:mcp-server-time`, the URL of a repository).

    `name` is None when nobody chose one: then it comes from the server object, else from the folder. `config_file` is
    the file that the project was read from, None if there was none. Values of `environment` may hold `${secrets.NAME}`;
    they are resolved when a worker starts, never here. `target` is None when nobody chose one. `sessions` is None when
    nobody said whether clients have sessions: then the server's code decides. `python_version` is a version (`3.11`) or
    a PEP 440 specifier (`>=3.11`). `requirements` is the file that the user named, relative to `folder`; `dependencies`
    are those in the configuration itself (fastmcp.json's environment.dependencies). `extras` and `groups` are installed
    beside the project's own dependencies; `include` are paths that are deployed though an ignore file names them.
    `upgrade` are the packages to resolve anew, all of them when it is empty. `origins` are foreign Origins that may
    call. `stop_first` means that two workers cannot run at the same time: the old release stops before the new one
    starts. `auth` says whether callers need a token or sign in, None when nobody said so; `users` are the most scopes
    that users may get who sign in, by name or pattern, None when nobody said who may. `login` is where they sign in,
    None for the owner's approval, and `issuer` whose tokens they show, None for the platform's. `scopes` are what
    callers may use then, None for everything, `limits` how often, and `audit` what the audit log keeps of it.
    `block_breaking` fails the check of a pull request whose tools break clients. `stages` are the stages that the
    project has, by name; `stage` is the one that this is.
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
    in_container: ContainerSettings = ContainerSettings()
    on_kubernetes: KubernetesSettings = KubernetesSettings()
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
    auth: Literal["token", "oauth", "none"] | None = None
    users: Mapping[str, tuple[str, ...]] | None = None
    login: Login | None = None
    issuer: Issuer | None = None
    scopes: ScopeRules | None = None
    limits: Limits | None = None
    audit: AuditSettings | None = None
    block_breaking: bool = False
    stages: Mapping[str, Stage] = field(default_factory=dict)
    stage: str | None = None
    config_file: Path | None = None

    @property
    def place(self) -> str:
        """Returns where the project comes from; two deploys from the same place are of the same project."""
        own = self.config_file.parent if self.config_file else self.folder / self.member
        return self.source or str(own)
