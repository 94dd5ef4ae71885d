"""Defines the desired state of a project on AWS: its function's configuration, its role's policy, and its callers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from homeport_runtime.hosts.aws_lambda.access import ISSUER, STATE_SECRET
from homeport_runtime.hosts.aws_lambda.host import IMPORT_FIRST
from homeport_runtime.hosts.aws_lambda.metrics import VARIABLE as METRICS
from homeport_runtime.hosts.aws_lambda.secrets import PERMISSION

from ...config.hosts import is_public
from ...config.project import LambdaSettings, Network, Scaling
from ...errors import ConfigError
from .artifacts import Artifacts
from .names import MAX_DESCRIPTION, MAX_PROJECT, TAG, function_name, log_group, mailbox_table
from .pins import Pin
from .places import Place, arn

HANDLER = "homeport_runtime.hosts.aws_lambda.buffered.handler"
WRAPPER = "/opt/homeport/wrapper"
# The most bytes of a function's environment.
MAX_VARIABLES = 4096
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}  # fmt: skip
# The actions of a function in a VPC, for which AWS has no finer resource
NETWORK_ACTIONS = [
    "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
]  # fmt: skip
# A public URL needs both (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html); with the second nobody can call
# the function but through its URL.
PERMISSIONS: Mapping[str, Mapping[str, Any]] = {
    "homeport-url": {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"},
    "homeport-through-url": {"Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": True},
}

# The mailbox (homeport_runtime.relay.mailbox): its keys and its expiry. It is paid by the request, so that it costs
# nothing while it is idle.
MAILBOX = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
MAILBOX_TTL = {"AttributeName": "expires", "Enabled": True}
MAILBOX_ACTIONS = ["dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Is the desired state of a project on AWS.

    `auth` is None if the configuration does not set it, and a first deploy then makes a token; `issuer` is the URL of
    the authorization server whose tokens callers show, None without one. `named` means that
    somebody chose the project's name, `folder` is where it comes from. `secrets` are those that it has now, None if it
    needs none. `speaks_mcp` is False for an app without an MCP endpoint.
    """

    project: str
    named: bool
    folder: str
    artifacts: Artifacts
    settings: LambdaSettings
    scaling: Scaling
    auto_scaling: bool
    auth: str | None
    domains: tuple[str, ...]
    secrets: Pin | None
    speaks_mcp: bool
    issuer: str | None = None

    @property
    def identity(self) -> str:
        """Returns a hash that changes with everything that makes a new release, and with nothing else."""
        artifacts = self.artifacts
        zips = [artifacts.function.sha256, artifacts.packages.sha256, artifacts.runtime.sha256]
        settings = self.settings
        said = [*zips, artifacts.python, artifacts.architecture, settings.memory_mb, settings.timeout_s,
                settings.snap_start, self.domains]  # fmt: skip
        more = (settings.role, settings.vpc and asdict(settings.vpc), settings.layers, settings.kms_key)
        if any(more):
            said += more
        if settings.import_first is not None:
            said.append([IMPORT_FIRST, settings.import_first])
        if settings.metrics:
            said.append([METRICS, True])
        if self.issuer:
            said.append([ISSUER, self.issuer])
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]

    def variables(self, release: str, token_hash: str | None, state_secret: str | None = None) -> dict[str, str]:
        """Returns the function's variables; `state_secret` is for a project whose callers do not all show its token."""
        asked = self.settings.import_first
        first = {} if asked is None else {IMPORT_FIRST: str(int(asked))}
        secret = {STATE_SECRET: state_secret} if state_secret else {}
        measured = {METRICS: "1"} if self.settings.metrics else {}
        issuer = {ISSUER: self.issuer} if self.issuer else {}
        known = _variables(self.project, release, token_hash, self.domains, self.secrets)
        return {**known, **first, **measured, **secret, **issuer}

    def configuration(self, role: str, layers: list[str], variables: Mapping[str, str]) -> dict[str, Any]:
        """Returns the configuration as CreateFunction and UpdateFunctionConfiguration take it."""
        return {
            "FunctionName": function_name(self.project),
            "Description": self.origin,
            "Role": role,
            "Runtime": f"python{self.artifacts.python}",
            "Handler": HANDLER,
            "MemorySize": self.settings.memory_mb,
            "Timeout": self.settings.timeout_s,
            # homeport's own layers come last, since the last one wins where two have the same file.
            "Layers": [*self.settings.layers, *layers],
            **network(self.settings.vpc),
            "KMSKeyArn": self.settings.kms_key or "",
            "Environment": {"Variables": dict(variables)},
            "SnapStart": {"ApplyOn": "PublishedVersions" if self.settings.snap_start else "None"},
        }

    @property
    def limit(self) -> int | None:
        """Returns [scaling] max, None if it is not set."""
        return self.scaling.max if self.auto_scaling else None

    @property
    def fronted(self) -> tuple[str, ...]:
        """Returns the host names that a distribution of CloudFront leads here."""
        return tuple(filter(is_public, self.domains)) if self.settings.front == "cloudfront" else ()

    @property
    def origin(self) -> str:
        """Returns the end of the folder that fits into a function's description."""
        return self.folder[-MAX_DESCRIPTION:]

    @property
    def tags(self) -> dict[str, str]:
        return {**self.settings.tags, TAG: self.project}

    def role_policy(self, place: Place, secrets: Collection[str]) -> dict[str, Any]:
        """Returns the policy of its role: what homeport needs, and what the project asks for."""
        document = function_policy(place, self.project, secrets)
        return {**document, "Statement": [*document["Statement"], *asked_statements(self.settings)]}


def asked_statements(settings: LambdaSettings) -> Iterator[dict[str, Any]]:
    """Yields the statements that a project's function needs beyond those of all functions."""
    for statement in settings.permissions:
        yield _allowed(list(statement.actions), list(statement.resources))
    if settings.vpc:
        yield _allowed(NETWORK_ACTIONS, "*")
    if settings.kms_key:
        yield _allowed(["kms:Decrypt"], settings.kms_key)


def network(vpc: Network | None) -> dict[str, Any]:
    """Returns the network as AWS's calls take it; empty lists take a function out of its network."""
    subnets, groups = (vpc.subnets, vpc.security_groups) if vpc else ((), ())
    return {"VpcConfig": {"SubnetIds": list(subnets), "SecurityGroupIds": list(groups)}}


def _allowed(actions: list[str], resource: str | list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _variables(
    project: str, release: str, token_hash: str | None, domains: tuple[str, ...], secrets: Pin | None
) -> dict[str, str]:
    return {
        "AWS_LAMBDA_EXEC_WRAPPER": WRAPPER,
        "HOMEPORT_PROJECT": project,
        "HOMEPORT_RELEASE": release,
        "HOMEPORT_MAILBOX_TABLE": mailbox_table(project),
        **({"HOMEPORT_TOKEN_HASH": token_hash} if token_hash else {}),
        **({"HOMEPORT_NAMES": ",".join(domains)} if domains else {}),
        **(secrets.variables if secrets else {}),
    }


def check_variables_fit(domains: tuple[str, ...], secrets: Pin | None) -> None:
    """Raises ConfigError for more than a function's environment has room for.

    AWS measures it as JSON (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
    """
    longest = _variables("p" * MAX_PROJECT, "v1000000", ",".join(["0" * 64] * 2), domains, secrets)
    over = len(json.dumps(longest, separators=(",", ":")).encode()) - MAX_VARIABLES
    if over > 0:
        raise ConfigError(
            f"the names of the domains and secrets do not fit into a function's environment, which has room for "
            f"{MAX_VARIABLES} bytes with all that is in it: {over} are too many",
            hint="fewer or shorter names; one secret can hold several values, as JSON",
        )


def function_policy(place: Place, project: str, secrets: Collection[str]) -> dict[str, Any]:
    """Returns what the function needs: to write into its log group, use its mailbox, and read its secrets, by their
    ARNs.

    It cannot make the log group itself.
    """
    group = arn(place, "logs", f"log-group:{log_group(project)}")
    table = arn(place, "dynamodb", f"table/{mailbox_table(project)}")
    # Lambda chooses a stream's name, so that within the group there is no finer resource.
    allowed = [(["logs:CreateLogStream", "logs:PutLogEvents"], f"{group}:log-stream:*")]
    allowed.append((MAILBOX_ACTIONS, table))
    allowed += [([PERMISSION], secret) for secret in sorted(secrets)]
    return {
        "Version": "2012-10-17",
        "Statement": [_allowed(actions, resource) for actions, resource in allowed],
    }
