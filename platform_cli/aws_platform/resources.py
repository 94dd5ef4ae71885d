"""Defines the platform's resources on AWS, one class for each kind.

Each compares itself with what exists, and creates or updates it; both are idempotent.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ..pipeline.archive import Archive
from ..targets.aws_lambda.client import AWS, MISSING, absent
from ..targets.aws_lambda.creation import (
    create_function,
    expires,
    layer_arn,
    make_layer,
    make_log_group,
    make_role,
    make_table,
    make_url,
    update_function,
)
from ..targets.aws_lambda.names import POLICY
from ..targets.aws_lambda.ownership import foreign_function, foreign_role, foreign_table, refuse_foreign
from ..targets.aws_lambda.places import iam_arn
from .names import PLATFORM, TAGS

ResourceState = Literal["missing", "different", "there"]
LOG_DAYS = 30


class Resource(Protocol):
    @property
    def shown(self) -> str: ...

    def state(self) -> ResourceState: ...

    def make(self) -> None: ...


@dataclass(frozen=True, slots=True)
class TableResource:
    aws: AWS
    name: str

    @property
    def shown(self) -> str:
        return f"table {self.name}"

    def state(self) -> ResourceState:
        with absent(MISSING):
            table = self.aws.tables.describe_table(TableName=self.name)["Table"]
            if table["TableStatus"] == "DELETING":
                return "missing"
            refuse_foreign(foreign_table(self.aws, table, TAGS))
            return "there" if expires(self.aws, self.name) else "different"
        return "missing"

    def make(self) -> None:
        make_table(self.aws, self.name, TAGS)


@dataclass(frozen=True, slots=True)
class LogGroupResource:
    aws: AWS
    function: str

    @property
    def name(self) -> str:
        return f"/aws/lambda/{self.function}"

    @property
    def shown(self) -> str:
        return f"logs in {self.name} for {LOG_DAYS} days"

    def state(self) -> ResourceState:
        groups = self.aws.logs.describe_log_groups(logGroupNamePrefix=self.name)["logGroups"]
        found = next((group for group in groups if group["logGroupName"] == self.name), None)
        if found is None:
            return "missing"
        return "there" if found.get("retentionInDays") == LOG_DAYS else "different"

    def make(self) -> None:
        make_log_group(self.aws, self.name, LOG_DAYS, TAGS)


@dataclass(frozen=True, slots=True)
class RoleResource:
    aws: AWS
    name: str
    policy: Mapping[str, Any]

    @property
    def shown(self) -> str:
        return f"role {self.name}"

    @property
    def arn(self) -> str:
        return iam_arn(self.aws, f"role/{self.name}")

    def state(self) -> ResourceState:
        with absent("NoSuchEntity"):
            refuse_foreign(foreign_role(self.aws.roles.get_role(RoleName=self.name)["Role"], TAGS))
            with absent("NoSuchEntity"):
                found = self.aws.roles.get_role_policy(RoleName=self.name, PolicyName=POLICY)["PolicyDocument"]
                return "there" if found == self.policy else "different"
            return "different"
        return "missing"

    def make(self) -> None:
        make_role(self.aws, self.name, self.policy, TAGS)


@dataclass(frozen=True, slots=True)
class LayerResource:
    """Is a layer, named after the hash of its content, so that it never changes."""

    aws: AWS
    kind: str
    archive: Archive
    python: str
    architecture: str

    @property
    def name(self) -> str:
        return f"{PLATFORM}_{self.kind}-{self.archive.sha256[:32]}"

    @property
    def shown(self) -> str:
        return f"layer {self.name} ({self.archive.size / 1e6:.1f} MB)"

    @property
    def arn(self) -> str | None:
        return layer_arn(self.aws, self.name)

    def state(self) -> ResourceState:
        return "there" if self.arn else "missing"

    def make(self) -> None:
        make_layer(self.aws, self.name, self.archive, self.python, self.architecture, PLATFORM)


@dataclass(frozen=True, slots=True)
class FunctionResource:
    """Is a function; `variables` is called when the function is made, since they name resources that are made before
    it.
    """

    aws: AWS
    name: str
    handler: str
    role: RoleResource
    layers: tuple[LayerResource, ...]
    function: Archive
    variables: Callable[[], Mapping[str, str]]
    memory_mb: int
    timeout_s: int
    disk_mb: int

    @property
    def shown(self) -> str:
        return f"function {self.name}"

    def state(self) -> ResourceState:
        with absent(MISSING):
            found = self.aws.functions.get_function_configuration(FunctionName=self.name)
            tags = self.aws.functions.list_tags(Resource=found["FunctionArn"])["Tags"]
            refuse_foreign(foreign_function(found["FunctionName"], tags, TAGS))
            return "there" if self._is_as_wanted(found) else "different"
        return "missing"

    def _is_as_wanted(self, found: Mapping[str, Any]) -> bool:
        if any(layer.arn is None for layer in self.layers):
            return False
        wanted = self._configuration()
        same = ("Role", "Runtime", "Handler", "MemorySize", "Timeout", "Environment", "EphemeralStorage")
        return (
            all(found.get(key) == wanted[key] for key in same)
            and [layer["Arn"] for layer in found.get("Layers", ())] == wanted["Layers"]
            and found["CodeSha256"] == base64.b64encode(bytes.fromhex(self.function.sha256)).decode()
            and found.get("Architectures") == [self.layers[0].architecture]
        )

    def _configuration(self) -> dict[str, Any]:
        return {
            "FunctionName": self.name,
            "Role": self.role.arn,
            "Runtime": f"python{self.layers[0].python}",
            "Handler": self.handler,
            "MemorySize": self.memory_mb,
            "Timeout": self.timeout_s,
            "Layers": [layer.arn for layer in self.layers],
            "Environment": {"Variables": dict(self.variables())},
            "EphemeralStorage": {"Size": self.disk_mb},
        }

    def make(self) -> None:
        architecture = self.layers[0].architecture
        if self.state() == "missing":
            create_function(self.aws, self._configuration(), self.function, architecture, TAGS)
        else:
            update_function(self.aws, self._configuration(), self.function, [architecture])


@dataclass(frozen=True, slots=True)
class URLResource:
    """Is the function's URL, which anybody may call: the function itself checks signatures and tokens."""

    aws: AWS
    function: str

    @property
    def shown(self) -> str:
        return f"the URL of {self.function}"

    @property
    def url(self) -> str | None:
        with absent(MISSING):
            found = self.aws.functions.get_function_url_config(FunctionName=self.function)
            return str(found["FunctionUrl"]).rstrip("/")
        return None

    def state(self) -> ResourceState:
        return "there" if self.url else "missing"

    def make(self) -> None:
        make_url(self.aws, "BUFFERED", FunctionName=self.function)
