"""Provisions the platform on AWS: what there has to be, in the order in which it is created."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..bearer import hash_of, make_token
from ..targets.aws_lambda.client import AWS, MISSING, absent, aws_errors
from ..targets.base import Step
from .boundary import BoundaryResource
from .names import BUILDER, DEAD_QUEUE, QUEUE, QUEUE_VARIABLE, TABLE, TOKEN_VARIABLE, WEB, in_region
from .package import Package
from .queue_resources import BUILD_S, QueueResource, SourceResource
from .removal import remove_early_roles, remove_layers
from .resources import (
    FunctionResource,
    LayerResource,
    LogGroupResource,
    Resource,
    RoleResource,
    TableResource,
    URLResource,
)
from .roles import builder_policy, web_policy
from .team_statements import Statements

MODULES = "platform_cli.aws_platform"
# The time includes waiting for GitHub's ping.
WEB_S, WEB_MB = 60, 1024
# With this memory a build gets almost two CPUs; the disk has room for two layers of a large project.
BUILD_MB, BUILD_DISK_MB = 3008, 8192
DISK_MB = 512


@dataclass(frozen=True, slots=True)
class Provisioning:
    """Holds the resources that the platform is to have; `token` is a new token for the API, which is stored nowhere
    else.
    """

    aws: AWS
    resources: tuple[Resource, ...]
    url: URLResource
    layers: tuple[LayerResource, ...]
    token: str | None = field(repr=False)

    def steps(self) -> list[tuple[Step, Resource]]:
        """Returns the steps that are necessary, and changes nothing."""
        verbs = {"missing": "create", "different": "update"}
        with aws_errors():
            states = [(resource, resource.state()) for resource in self.resources]
        return [(Step(verbs[state], one.shown), one) for one, state in states if state != "there"]

    def apply(self, steps: Sequence[tuple[Step, Resource]]) -> str:
        """Carries out the steps, and returns the platform's URL."""
        with aws_errors():
            for _, resource in steps:
                resource.make()
            remove_early_roles(self.aws)
            remove_layers(self.aws, but=[layer.name for layer in self.layers])
            return self.url.url or ""


def provision(aws: AWS, package: Package, *, new_token: bool, allowed: Statements | None = None) -> Provisioning:
    """Returns what the platform is to be; the token stays unless a new one is wanted.

    A token of a platform without a URL was never shown to anybody, so it is replaced. `allowed` is as for
    BoundaryResource.
    """
    url = URLResource(aws, WEB)
    with aws_errors():
        kept = _token_hash(aws) if url.url and not new_token else None
    token = None if kept else make_token()
    token_hash = kept or hash_of(token or "")
    table = TableResource(aws, TABLE)
    dead = QueueResource(aws, DEAD_QUEUE)
    queue = QueueResource(aws, QUEUE, dead)
    groups = LogGroupResource(aws, WEB), LogGroupResource(aws, BUILDER)
    web_role = RoleResource(aws, in_region(WEB, aws.region), web_policy(aws))
    builder_role = RoleResource(aws, in_region(BUILDER, aws.region), builder_policy(aws))
    layers = tuple(
        LayerResource(aws, kind, archive, package.python, package.architecture)
        for kind, archive in (("packages", package.packages), ("code", package.code))
    )
    web = FunctionResource(
        aws,
        WEB,
        handler=f"{MODULES}.web.handler",
        role=web_role,
        layers=layers,
        function=package.function,
        variables=lambda: {QUEUE_VARIABLE: queue.url, TOKEN_VARIABLE: token_hash},
        memory_mb=WEB_MB,
        timeout_s=WEB_S,
        disk_mb=DISK_MB,
    )
    builder = FunctionResource(
        aws,
        BUILDER,
        handler=f"{MODULES}.builder.handler",
        role=builder_role,
        layers=layers,
        function=package.function,
        variables=lambda: {QUEUE_VARIABLE: queue.url},
        memory_mb=BUILD_MB,
        timeout_s=BUILD_S,
        disk_mb=BUILD_DISK_MB,
    )
    sources = SourceResource(aws, queue, BUILDER), SourceResource(aws, dead, BUILDER)
    resources: tuple[Resource, ...] = (
        table,
        dead,
        queue,
        *groups,
        BoundaryResource(aws, allowed),
        web_role,
        builder_role,
        *layers,
        web,
        builder,
        *sources,
        url,
    )
    return Provisioning(aws, resources, url, layers, token)


def _token_hash(aws: AWS) -> str | None:
    with absent(MISSING):
        found = aws.functions.get_function_configuration(FunctionName=WEB)
        token_hash: str | None = found.get("Environment", {}).get("Variables", {}).get(TOKEN_VARIABLE)
        return token_hash
    return None
