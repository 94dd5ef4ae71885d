"""The steps of a plan, carried out. Each may be repeated: a deploy that was killed goes on where it was."""

from __future__ import annotations

import json

from ...build.archive import Archive
from ...controlplane.access import hash_of, make_token
from ...errors import BusyError
from ...secrets.secrets_manager import ProjectSecrets
from .client import AWS, absent, aws_errors
from .layers import delete_unused_layers
from .live import Live, Mailbox, read_live
from .lock import deploy_lock
from .names import ALIAS, function_name, log_group, mailbox_table
from .planner import LambdaPlan, Name, reserved, used_secrets
from .publish import configure, prune, publish, switch, wait
from .upload import discard, uploaded
from .wanted import MAILBOX, MAILBOX_TTL, PERMISSIONS, TRUST, Wanted, policy

POLICY = "homeport"


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
            PolicyDocument=json.dumps(policy(self._aws, self._wanted.project, used_secrets(self._wanted, self._live))),
        )

    def _logs(self) -> None:
        group = log_group(self._wanted.project)
        with absent("ResourceAlreadyExistsException"):
            self._aws.logs.create_log_group(logGroupName=group, tags=self._wanted.tags)
        self._aws.logs.put_retention_policy(logGroupName=group, retentionInDays=self._wanted.settings.log_days)

    def _mailbox(self) -> None:
        table = mailbox_table(self._wanted.project)
        tags = [{"Key": key, "Value": value} for key, value in self._wanted.tags.items()]
        with absent("ResourceInUseException"):
            self._aws.tables.create_table(TableName=table, Tags=tags, **MAILBOX)
        self._aws.tables.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
        if read_live(self._aws, self._wanted.project).mailbox is not Mailbox.THERE:
            self._aws.tables.update_time_to_live(TableName=table, TimeToLiveSpecification=MAILBOX_TTL)

    def _layers(self) -> None:
        artifacts = self._wanted.artifacts
        self._layer_arns = [self._layer(artifacts.packages, "packages"), self._layer(artifacts.runtime, "runtime")]

    def _layer(self, archive: Archive, kind: str) -> str:
        """Published once for all projects of the account; its name is that of its content."""
        name = f"homeport-{kind}-{archive.sha256[:32]}"
        versions = self._aws.functions.list_layer_versions(LayerName=name).get("LayerVersions", [])
        if versions:
            return str(versions[0]["LayerVersionArn"])
        content = uploaded(self._aws, archive)
        made = self._aws.functions.publish_layer_version(
            LayerName=name,
            Content=content,
            CompatibleRuntimes=[f"python{self._wanted.artifacts.python}"],
            CompatibleArchitectures=[self._wanted.artifacts.architecture],
        )
        discard(self._aws, content)
        return str(made["LayerVersionArn"])

    def _function(self) -> None:
        """$LATEST as the new release is to be."""
        role = self._aws.roles.get_role(RoleName=self._wanted.role)["Role"]["Arn"]
        configuration = self._wanted.configuration(role, self._layer_arns, self._variables())
        functions, code = self._aws.functions, uploaded(self._aws, self._wanted.artifacts.function)
        architectures = [self._wanted.artifacts.architecture]
        if read_live(self._aws, self._wanted.project).function is None:
            create = {**configuration, "Code": code, "Architectures": architectures, "Tags": self._wanted.tags}
            configure(self._aws, functions.create_function, create)
        else:
            functions.update_function_code(FunctionName=self._name, Architectures=architectures, **code)
            wait(self._aws, self._name, "function_updated_v2")
            configure(self._aws, functions.update_function_configuration, configuration)
        wait(self._aws, self._name, "function_active_v2")
        discard(self._aws, code)

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

    def _secrets(self) -> None:
        """Before the release is there: what no release has AWS may forget."""
        pin = self._wanted.secrets
        if pin is not None and pin.version is not None:
            ProjectSecrets(self._aws, self._wanted.project).pin(pin.version, self._live.newest + 1)

    def _version(self) -> None:
        project, release = self._wanted.project, self._live.newest + 1
        said, token = f"{self._wanted.identity} deploy", self._handshake_token
        number = publish(self._aws, project, release, said, token, speaks_mcp=self._speaks_mcp)
        switch(self._aws, project, number, newest=release, first=not self._live.newest)
        delete_unused_layers(self._aws, self._live.abandoned_layers)

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

    def _reserved(self) -> None:
        limit = reserved(self._wanted)
        if limit is None:
            self._aws.functions.delete_function_concurrency(FunctionName=self._name)
        else:
            self._aws.functions.put_function_concurrency(FunctionName=self._name, ReservedConcurrentExecutions=limit)

    def _provisioned(self) -> None:
        """Of the alias, since $LATEST can have none; it goes with the alias from version to version."""
        alias = {"FunctionName": self._name, "Qualifier": ALIAS}
        if count := self._wanted.scaling.min:
            self._aws.functions.put_provisioned_concurrency_config(**alias, ProvisionedConcurrentExecutions=count)
        else:
            self._aws.functions.delete_provisioned_concurrency_config(**alias)

    def _prune(self) -> None:
        prune(self._aws, self._wanted.project)
