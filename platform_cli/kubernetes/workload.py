"""Decides what of a project matters on a cluster: its image, how many pods, and which Secrets they read."""

from __future__ import annotations

from dataclasses import dataclass

from ..config.hosts import is_public
from ..config.image_reference import Reference
from ..config.project import Project
from ..errors import ConfigError
from ..secrets.references import referenced


@dataclass(frozen=True, slots=True)
class Workload:
    """Is a project as Kubernetes runs it.

    There are `low` to `high` pods, and with `stop_first` never two of different releases. `secrets` are the keys of the
    Secret `secrets_name`; `is_open` means that callers need no token, `guards_itself` that the server may bring its own
    check. `claim` is the PersistentVolumeClaim for what the server writes, None to lose that with the pod.
    `pull_secret` is the Secret with which nodes pull the image, None for what the service account has.
    """

    name: str
    image: Reference
    low: int
    high: int
    memory_mb: int
    start_timeout_s: float
    unresponsive_s: float
    has_sessions: bool
    secrets: tuple[str, ...]
    is_open: bool
    guards_itself: bool
    claim: str | None
    secrets_name: str
    stop_first: bool = False
    pull_secret: str | None = None

    @property
    def token_name(self) -> str:
        """Returns the name of the Secret with the token's hash, whose only key is TOKEN_KEY."""
        return f"{self.name}-token"

    @property
    def relay_name(self) -> str:
        """Returns the name of the Secret with the key by which pods know each other, whose only key is RELAY_KEY."""
        return f"{self.name}-relay"

    @property
    def is_scaled(self) -> bool:
        return self.high > self.low


TOKEN_KEY = "hash"  # noqa: S105 - its name
RELAY_KEY = "key"


def workload_of(project: Project, name: str, image: Reference, claim: str | None) -> Workload:
    """Returns the workload of `project`.

    A server with sessions has one pod, unless all of its pods write to `claim`: clients keep no cookies, so that no
    load balancer could lead them back to their pod.
    """
    replicas = project.on_kubernetes.replicas
    low = replicas or max(project.scaling.min, 1)
    high = replicas or max(project.scaling.workers, low)
    if project.sessions and claim is None:
        low = high = 1
    return Workload(
        name=name,
        image=image,
        low=low,
        high=high,
        memory_mb=project.memory_mb,
        start_timeout_s=project.start_timeout_s,
        unresponsive_s=project.scaling.unresponsive_s,
        has_sessions=bool(project.sessions),
        secrets=tuple(sorted(referenced(project.environment))),
        is_open=project.auth == "none",
        guards_itself=project.auth is None,
        claim=claim,
        secrets_name=f"{name}-secrets",
        stop_first=project.stop_first,
        pull_secret=project.on_kubernetes.pull_secret,
    )


def check_has_name(project: Project) -> None:
    """Raises ConfigError if callers sign in, and there is no URL for which their tokens may be."""
    if project.issuer is not None and not any(map(is_public, project.domains)):
        raise ConfigError(
            "callers sign in, and nothing says at which URL they reach the pods",
            hint='names = ["notes.example.com"] under [domains], which an Ingress or a Gateway leads to the Service',
        )
