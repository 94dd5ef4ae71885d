"""The steps of a plan, carried out. Each may be repeated: a deploy that was killed goes on where it was."""

from __future__ import annotations

import json
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from ...build.archive import Archive
from ...controlplane.access import hash_of, make_token
from ...errors import BusyError, HomeportError
from .client import AWS, absent, aws_errors, code_of
from .handshake import shake_hands
from .live import MISSING, Live, read_live
from .lock import deploy_lock
from .names import ALIAS, bucket_name, function_name, log_group
from .planner import KEPT_VERSIONS, LambdaPlan, Name, reserved
from .wanted import PERMISSIONS, TRUST, Wanted, policy

MAX_DIRECT = 50 * 1024 * 1024
POLICY = "homeport"
# A new role is not known everywhere at once.
ROLE_SPREADS_S = 60


class Executor:
    """`token` is the project's new bearer token, if the plan made one: the only place where it is."""

    def __init__(self, aws: AWS, plan: LambdaPlan, *, speaks_mcp: bool) -> None:
        self.token: str | None = None
        self._aws = aws
        self._wanted: Wanted = plan.wanted
        self._live: Live = plan.live
        self._steps = plan.steps
        self._speaks_mcp = speaks_mcp
        self._name = function_name(plan.wanted.project)
        self._layer_arns: list[str] = []
        self._handshake_token: str | None = None

    def run(self) -> None:
        """Raises HomeportError with the old release still serving; BusyError if somebody else deploys the project."""
        early = [step for step in self._steps if step.name in ("role", "logs")]
        with aws_errors():
            for step in early:
                self.do(step.name)
            with deploy_lock(self._aws, self._wanted.project):
                self._check_unchanged()
                for step in self._steps:
                    if step not in early:
                        self.do(step.name)

    def _check_unchanged(self) -> None:
        """Planned was before the lock was ours."""
        now = read_live(self._aws, self._wanted.project)
        if (now.newest, now.active) != (self._live.newest, self._live.active):
            raise BusyError(
                f"another deploy of {self._wanted.project} was faster", hint="run the command again to deploy after it"
            )

    def do(self, name: Name) -> None:
        getattr(self, f"_{name}")()

    def _role(self) -> None:
        document = json.dumps(TRUST)
        tags = [{"Key": key, "Value": value} for key, value in self._wanted.tags.items()]
        with absent("EntityAlreadyExists"):
            self._aws.roles.create_role(RoleName=self._wanted.role, AssumeRolePolicyDocument=document, Tags=tags)
        self._aws.roles.put_role_policy(
            RoleName=self._wanted.role,
            PolicyName=POLICY,
            PolicyDocument=json.dumps(policy(self._aws, self._wanted.project)),
        )

    def _logs(self) -> None:
        group = log_group(self._wanted.project)
        with absent("ResourceAlreadyExistsException"):
            self._aws.logs.create_log_group(logGroupName=group, tags=self._wanted.tags)
        self._aws.logs.put_retention_policy(logGroupName=group, retentionInDays=self._wanted.settings.log_days)

    def _layers(self) -> None:
        artifacts = self._wanted.artifacts
        self._layer_arns = [self._layer(artifacts.packages, "packages"), self._layer(artifacts.runtime, "runtime")]

    def _layer(self, archive: Archive, kind: str) -> str:
        """Published once for all projects of the account; its name is that of its content."""
        name = f"homeport-{kind}-{archive.sha256[:32]}"
        versions = self._aws.functions.list_layer_versions(LayerName=name).get("LayerVersions", [])
        if versions:
            return str(versions[0]["LayerVersionArn"])
        made = self._aws.functions.publish_layer_version(
            LayerName=name,
            Content=self._code(archive),
            CompatibleRuntimes=[f"python{self._wanted.artifacts.python}"],
            CompatibleArchitectures=[self._wanted.artifacts.architecture],
        )
        return str(made["LayerVersionArn"])

    def _code(self, archive: Archive) -> dict[str, Any]:
        """Directly, else by way of a bucket of the account."""
        if archive.size <= MAX_DIRECT:
            return {"ZipFile": archive.path.read_bytes()}
        bucket, key = bucket_name(self._aws.account, self._aws.region), f"{archive.sha256}.zip"
        place = {} if self._aws.region == "us-east-1" else {"LocationConstraint": self._aws.region}
        with absent("BucketAlreadyOwnedByYou"):
            configuration = {"CreateBucketConfiguration": place} if place else {}
            self._aws.buckets.create_bucket(Bucket=bucket, **configuration)
        self._aws.buckets.upload_file(str(archive.path), bucket, key)
        return {"S3Bucket": bucket, "S3Key": key}

    def _function(self) -> None:
        """$LATEST as the new release is to be."""
        role = self._aws.roles.get_role(RoleName=self._wanted.role)["Role"]["Arn"]
        configuration = self._wanted.configuration(role, self._layer_arns, self._variables())
        functions, code = self._aws.functions, self._code(self._wanted.artifacts.function)
        architectures = [self._wanted.artifacts.architecture]
        if read_live(self._aws, self._wanted.project).function is None:
            self._when_role_is_known(
                functions.create_function,
                **configuration,
                Code=code,
                Architectures=architectures,
                Tags=self._wanted.tags,
            )
        else:
            functions.update_function_code(FunctionName=self._name, Architectures=architectures, **code)
            self._wait("function_updated_v2")
            self._when_role_is_known(functions.update_function_configuration, **configuration)
            self._wait("function_updated_v2")
        self._wait("function_active_v2")

    def _when_role_is_known(self, call: Any, **arguments: Any) -> None:
        def unknown(error: BaseException) -> bool:
            return "cannot be assumed" in str(error) and code_of(error) == "InvalidParameterValueException"  # type: ignore[arg-type]

        for attempt in Retrying(
            retry=retry_if_exception(unknown), stop=stop_after_delay(ROLE_SPREADS_S), wait=wait_fixed(1), reraise=True
        ):
            with attempt:
                call(**arguments)

    def _wait(self, waiter: str, **more: Any) -> None:
        self._aws.functions.get_waiter(waiter).wait(
            FunctionName=self._name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}, **more
        )

    def _variables(self) -> dict[str, str]:
        """The token's hash goes on from release to release; beside it that of a token for the handshake alone."""
        wanted, active = self._wanted, self._live.active
        kept = active.token_hash if active and self._live.url else None
        was_open = active is not None and self._live.url is not None and kept is None
        hashes = None
        if wanted.auth != "none" and not (was_open and wanted.auth is None):
            self._handshake_token = make_token()
            if kept is None:
                self.token = make_token()
                kept = hash_of(self.token)
            hashes = f"{kept},{hash_of(self._handshake_token)}"
        return wanted.variables(f"v{self._live.newest + 1}", hashes)

    def _version(self) -> None:
        """Published, asked, and only then what `live` leads to."""
        release = self._live.newest + 1
        for left in read_live(self._aws, self._wanted.project).unfinished:
            self._aws.functions.delete_function(FunctionName=self._name, Qualifier=left.number)
        description = f"v{release} {self._wanted.identity}"
        number = self._aws.functions.publish_version(FunctionName=self._name, Description=description)["Version"]
        try:
            self._wait("published_version_active", Qualifier=number)
            shake_hands(self._aws, self._name, number, self._handshake_token, speaks_mcp=self._speaks_mcp)
        except HomeportError:
            self._aws.functions.delete_function(FunctionName=self._name, Qualifier=number)
            raise
        self._switch(number, release)

    def _switch(self, number: str, release: int) -> None:
        alias = {
            "FunctionName": self._name,
            "Name": ALIAS,
            "FunctionVersion": number,
            "Description": f"newest v{release}",
        }
        if self._live.newest:
            self._aws.functions.update_alias(**alias)
        else:
            self._aws.functions.create_alias(**alias)

    def _url(self) -> None:
        for sid, permission in PERMISSIONS.items():
            with absent("ResourceConflictException"):
                self._aws.functions.add_permission(
                    FunctionName=self._name, Qualifier=ALIAS, StatementId=sid, **permission
                )
        with absent("ResourceConflictException"):
            self._aws.functions.create_function_url_config(
                FunctionName=self._name, Qualifier=ALIAS, AuthType="NONE", InvokeMode="RESPONSE_STREAM"
            )

    def _scaling(self) -> None:
        limit = reserved(self._wanted)
        if limit is None:
            self._aws.functions.delete_function_concurrency(FunctionName=self._name)
        else:
            self._aws.functions.put_function_concurrency(FunctionName=self._name, ReservedConcurrentExecutions=limit)

    def _prune(self) -> None:
        live = read_live(self._aws, self._wanted.project)
        for old in live.versions[:-KEPT_VERSIONS]:
            if old != live.active:
                with absent(MISSING):
                    self._aws.functions.delete_function(FunctionName=self._name, Qualifier=old.number)
