"""Executes the steps of a plan, each idempotent, so that a deploy that was killed can be repeated."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Literal

from homeport_runtime.guard.access import CLIENT_TOKENS

from ...bearer import hash_of, make_token
from ...errors import BusyError
from ...origin import Origin
from ...pipeline.archive import Archive
from ..base import KeepToken
from .client import AWS, aws_errors
from .concurrency import keep_ready, limit_instances
from .creation import create_function, make_layer, make_log_group, make_role, make_table, make_url, update_function
from .desired import DesiredState
from .fronts import certify, put_front, read_front, remove_front
from .layers import delete_unused_layers
from .live import Live, read_live
from .lock import deploy_lock
from .names import ALIAS, function_name, layer_name, log_group, mailbox_table, role_name
from .origins import write_origin
from .planner import LambdaPlan, Name, used_secrets
from .publish import prune, publish, switch
from .roles import attach_policies
from .secrets_manager import ProjectSecrets


class Executor:
    """Executes a plan.

    `origin` is called when the release exists, before `live` leads to it. `keep` gets the project's URL and its new
    bearer token, if the plan makes one, before the next call of AWS, since it cannot be read again; from then on it is
    `token`.
    """

    def __init__(
        self,
        aws: AWS,
        plan: LambdaPlan,
        origin: Callable[[], Origin],
        *,
        keep: KeepToken,
    ) -> None:
        self.token: str | None = None
        self._new_token: str | None = None
        self._keep = keep
        self._aws = aws
        self._origin = origin
        self._desired: DesiredState = plan.desired
        self._live: Live = plan.live
        self._limit = plan.limit
        self._steps = plan.steps
        self._name = function_name(plan.desired.project)
        self._role_name = role_name(plan.desired.project, aws.region)
        self._layer_arns: list[str] = []
        self._handshake_token: str | None = None

    def run(self) -> None:
        """Executes the plan.

        Raises HomeportError, with the old release still serving, and BusyError if somebody else deploys the project.
        """
        early = [step for step in self._steps if step.name in ("role", "logs")]
        with aws_errors():
            for step in early:
                self.do(step.name)
            with deploy_lock(self._aws, self._desired.project):
                self._live = self._unchanged()
                for step in self._steps:
                    if step not in early:
                        self.do(step.name)

    def _unchanged(self) -> Live:
        """Reads the live state again, since the plan was made before the lock was held.

        Raises BusyError if it has changed.
        """
        now = read_live(self._aws, self._desired.project)
        if (now.newest, now.active) != (self._live.newest, self._live.active):
            raise BusyError(
                f"another deploy of {self._desired.project} was faster", hint="run the command again to deploy after it"
            )
        return now

    def do(self, name: Name) -> None:
        getattr(self, f"_{name}")()

    def _role(self) -> None:
        desired = self._desired
        document = desired.role_policy(self._aws, used_secrets(desired, self._live))
        make_role(self._aws, self._role_name, document, desired.tags, desired.settings.boundary)
        if desired.settings.policies is not None:
            attach_policies(self._aws, self._role_name, desired.settings.policies)

    def _logs(self) -> None:
        desired = self._desired
        make_log_group(self._aws, log_group(desired.project), desired.settings.log_days, desired.tags)

    def _mailbox(self) -> None:
        make_table(self._aws, mailbox_table(self._desired.project), self._desired.tags)

    def _layers(self) -> None:
        artifacts = self._desired.artifacts
        self._layer_arns = [self._layer("packages", artifacts.packages), self._layer("runtime", artifacts.runtime)]

    def _layer(self, kind: Literal["packages", "runtime"], archive: Archive) -> str:
        """Returns a layer, which is published once for all projects of the account."""
        artifacts, name = self._desired.artifacts, layer_name(kind, archive.sha256)
        return make_layer(self._aws, name, archive, artifacts.python, artifacts.architecture, self._desired.project)

    def _function(self) -> None:
        """Brings $LATEST to the new release."""
        desired, artifacts = self._desired, self._desired.artifacts
        role = desired.settings.role or self._aws.roles.get_role(RoleName=self._role_name)["Role"]["Arn"]
        configuration = desired.configuration(role, self._layer_arns, self._variables())
        if self._live.function is None:
            create_function(self._aws, configuration, artifacts.function, artifacts.architecture, desired.tags)
        else:
            update_function(self._aws, configuration, artifacts.function, [artifacts.architecture])
            if desired.settings.tags:
                function = self._live.function["FunctionArn"]
                self._aws.functions.tag_resource(Resource=function, Tags=desired.tags)

    def _variables(self) -> dict[str, str]:
        """Returns the variables: the token's hash stays from release to release, with that of a token for the handshake
        alone, and so do client tokens, and the secret of a project whose callers do not all show its token.
        """
        desired, before = self._desired, self._live.latest
        kept = before.token_hash if before and self._live.url else None
        was_open = before is not None and self._live.url is not None and kept is None
        hashes = None
        if desired.auth != "none" and not (was_open and desired.auth is None):
            self._handshake_token = make_token()
            if kept is None:
                self._new_token = make_token()
                kept = hash_of(self._new_token)
            hashes = f"{kept},{hash_of(self._handshake_token)}"
        clients = before.clients if before is not None and hashes else ""
        # Those who show a token of another kind do not show the project's, from which it would be made else.
        wanted = bool(clients or not hashes or desired.issuer)
        secret = (before.state_secret if before else None) or secrets.token_hex(32)
        made = desired.variables(f"v{self._live.newest + 1}", hashes, secret if wanted else None)
        return {**made, CLIENT_TOKENS: clients} if clients else made

    def _secrets(self) -> None:
        """Pins the secrets before the release exists, since AWS may delete versions without a label."""
        pin = self._desired.secrets
        if pin is not None and pin.version is not None:
            ProjectSecrets(self._aws, self._desired.project).pin(pin.version, self._live.newest + 1)

    def _version(self) -> None:
        project, release = self._desired.project, self._live.newest + 1
        said, token = f"{self._desired.identity} deploy", self._handshake_token
        number = publish(self._aws, project, self._live, release, said, token, speaks_mcp=self._desired.speaks_mcp)
        write_origin(self._aws, project, release, self._origin())
        if self._live.url:
            self._tell(self._live.url)
        switch(self._aws, project, number, newest=release, first=self._live.leads_to is None)
        delete_unused_layers(self._aws, self._live.abandoned_layers)

    def _url(self) -> None:
        self._tell(make_url(self._aws, "RESPONSE_STREAM", FunctionName=self._name, Qualifier=ALIAS))

    def _certificate(self) -> None:
        certify(self._aws, self._desired, read_front(self._aws, self._live.tags))

    def _front(self) -> None:
        front = read_front(self._aws, self._live.tags)
        if front and self._live.url:
            put_front(self._aws, self._desired, front, self._live.url)

    def _unfront(self) -> None:
        if front := read_front(self._aws, self._live.tags):
            remove_front(self._aws, self._desired.project, front)

    def _tell(self, url: str) -> None:
        if self._new_token is not None:
            self.token = self._new_token
            self._keep(url, self._new_token)

    def _reserved(self) -> None:
        limit_instances(self._aws, self._desired.project, self._limit)

    def _provisioned(self) -> None:
        keep_ready(self._aws, self._desired.project, self._desired.scaling.min)

    def _prune(self) -> None:
        prune(self._aws, self._desired.project)
