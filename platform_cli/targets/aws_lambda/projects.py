"""Implements the everyday operations on projects on AWS Lambda, which need nothing of the build."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ...api.audit_entry import AuditEntry, Verified
from ...api.audit_query import AuditQuery
from ...api.client_token import ListedClientToken, NewClientToken, WantedClientToken
from ...api.deployment import DeploymentEntry
from ...api.difference import ToolsDifference
from ...api.error_group import Change, ErrorGroup, ErrorGroupDetail
from ...api.log_record import LogRecord
from ...api.metrics import By, Metrics
from ...api.release import Release
from ...api.secret import ListedSecret, SecretsSet, SecretUnset
from ...api.status import ChangedStatus, Status, StatusWithToken
from ...audit.instances import selected, verify_instances
from ...bearer import hash_of, make_token
from ...config.client_tokens import check_scope, check_wanted
from ...contract import compare
from ...errors import InputError, NotFoundError
from ...log_query import LogQuery
from ...origin import Origin, describe_release
from ...telemetry.error_store import Failed
from ..base import Endpoint, Removal
from ..log_errors import KEPT_S, LoggedErrors
from ..log_metrics import metrics_of
from . import client_tokens
from .client import AWS, aws_errors
from .code import contract_of, fetched, manifest_of
from .cost import estimate
from .errors import read_errors
from .fronts import read_front
from .group_states import TableStates
from .live import Live, check_can_change, check_not_of_stack, read_live
from .lock import deploy_lock
from .logs import read_audit, read_logs
from .metrics import read_operations
from .names import ALIAS, PREFIX
from .origins import read_origins
from .ownership import refuse_foreign
from .publish import switch
from .removal import plan_removal, remove_project
from .republish import republish
from .secrets import list_secrets, set_secrets, unset_secret
from .status import status_of
from .versions import Version


class LambdaProjects:
    """Operates on projects.

    Every method raises ConfigError if no region is known, AWSError if AWS refuses, and NotFoundError if the project
    does not exist.
    """

    def __init__(self, aws: AWS) -> None:
        self.aws = aws

    def deployed_from(self, _place: str) -> str | None:
        return None

    @contextmanager
    def reached(self, project: str) -> Iterator[Endpoint]:
        yield Endpoint.of(self.status(project))

    def list_projects(self) -> list[Status]:
        with aws_errors():
            pages = self.aws.functions.get_paginator("list_functions").paginate()
            names = [one["FunctionName"] for page in pages for one in page["Functions"]]
            ours = [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]
            found = [(project, read_live(self.aws, project)) for project in ours]
        return [status_of(project, live) for project, live in found if live.leads_to]

    def status(self, project: str) -> Status:
        with aws_errors():
            live = self._read(project)
            cost = estimate(self.aws, project, live.active) if live.active else None
            front = read_front(self.aws, live.tags)
        return {**status_of(project, live), "cost": cost, "front": front.data() if front else None}

    def versions(self, project: str) -> list[Release]:
        with aws_errors():
            live = self._read(project)
            origins = read_origins(self.aws, project)
        return [
            {
                "release": f"v{version.release}",
                "state": "active" if version == live.active else "inactive",
                "created_at": version.made_at,
                "bundle": version.identity,
                "reason": version.reason,
                "secrets": dict.fromkeys(version.pin.names) if version.pin else {},
                "error": None,
                "origin": origins.get(version.release, Origin()).data(),
            }
            for version in reversed(live.releases)
        ]

    def deployments(self, project: str) -> list[DeploymentEntry]:
        """Returns the releases; only the platform that builds commits knows those that have failed."""
        return [describe_release(version) for version in self.versions(project)]

    def difference(self, project: str, old: int, new: int) -> ToolsDifference:
        with aws_errors():
            live = self._read(project)
            before, after = (contract_of(self.aws, project, _release(project, live, number)) for number in (old, new))
        return compare(before, after).data()

    def rollback(self, project: str, release: int | None) -> ChangedStatus:
        """Serves a release again, with the secrets that it had; who may call stays as it is now."""
        with aws_errors():
            self._read(project)
            with deploy_lock(self.aws, project):
                live = self._read(project)
                check_can_change(project, live)
                wanted = _release(project, live, release)
                now, clients = (live.latest.token_hash, live.latest.clients) if live.latest else (None, "")
                if wanted != live.active and (wanted.token_hash, wanted.clients) == (now, clients):
                    switch(self.aws, project, wanted.number, newest=live.newest)
                elif wanted != live.active:
                    # As it was, it would let in callers with a token that was replaced or revoked meanwhile.
                    self._again(project, live, wanted, now, clients)
            return {**status_of(project, self._read(project)), "changed": wanted != live.active}

    def renew_token(self, project: str) -> StatusWithToken:
        """Returns the project's status with its new token.

        Raises InputError if everyone may call.
        """
        token = make_token()
        with aws_errors():
            self._read(project)
            with deploy_lock(self.aws, project):
                live = self._read(project)
                self._again(project, live, self._with_token(project, live), hash_of(token))
            return {**self.status(project), "token": token}

    def create_client_token(self, project: str, wanted: WantedClientToken) -> NewClientToken:
        """Publishes the active release again, with another client token, and returns that.

        Raises InputError for what cannot be granted, and for a project that everyone may call.
        """
        check_wanted(wanted)
        with aws_errors():
            self._read(project)
            with deploy_lock(self.aws, project):
                live = self._read(project)
                active = self._with_token(project, live)
                if wanted["scopes"]:
                    with fetched(self.aws, project, active) as code:
                        rules = manifest_of(code).get("scopes")
                    for scope in wanted["scopes"]:
                        check_scope(project, scope, rules)
                token, listed, clients = client_tokens.added(active.clients, wanted)
                self._again(project, live, active, active.token_hash, clients)
        return {**listed, "token": token}

    def client_tokens(self, project: str) -> list[ListedClientToken]:
        with aws_errors():
            active = self._read(project).active
            return client_tokens.listed(active.clients) if active is not None else []

    def revoke_client_token(self, project: str, token_id: str) -> None:
        """Publishes the active release again, without a client token.

        Raises NotFoundError if the project has none of that id.
        """
        with aws_errors():
            self._read(project)
            with deploy_lock(self.aws, project):
                live = self._read(project)
                active = self._with_token(project, live)
                clients = client_tokens.without(project, active.clients, token_id)
                self._again(project, live, active, active.token_hash, clients)

    def _with_token(self, project: str, live: Live) -> Version:
        """Returns the active release; raises InputError if everyone may call."""
        check_can_change(project, live)
        active = _active(project, live)
        if active.token_hash is None:
            raise InputError(
                f"everyone may call {project}: it has no token",
                hint='write mode = "token" under [auth] in its fastmcp.toml, and deploy it',
            )
        return active

    def _again(
        self, project: str, live: Live, version: Version, token_hash: str | None, clients: str | None = None
    ) -> None:
        republish(
            self.aws,
            project,
            live,
            version,
            release=version.release,
            reason=version.reason,
            token_hash=token_hash,
            pin=version.pin,
            clients=clients,
        )

    def secrets(self, project: str) -> list[ListedSecret]:
        with aws_errors():
            return list_secrets(self.aws, project)

    def set_secrets(self, project: str, values: Mapping[str, str]) -> SecretsSet:
        with aws_errors():
            return set_secrets(self.aws, project, values)

    def unset_secret(self, project: str, name: str) -> SecretUnset:
        with aws_errors():
            return unset_secret(self.aws, project, name)

    def removal(self, project: str) -> Removal:
        with aws_errors():
            return self._to_remove(project)[1]

    def destroy(self, project: str) -> None:
        with aws_errors():
            remove_project(self.aws, project, self._to_remove(project)[0])

    def _to_remove(self, project: str) -> tuple[Live, Removal]:
        live = read_live(self.aws, project)
        check_not_of_stack(project, live)
        removal = plan_removal(self.aws, project, live)
        if not removal.gone:
            refuse_foreign(*removal.kept)
            raise _missing(project)
        return live, removal

    def metrics(self, project: str, since: float, by: By) -> Metrics:
        with aws_errors():
            self._read(project)
            return metrics_of(project, read_operations(self.aws, project, since), since, time.time(), by)

    def errors(self, project: str) -> list[ErrorGroup]:
        with aws_errors():
            return self._errors(project, self._read(project)).groups()

    def error(self, project: str, group: int) -> ErrorGroupDetail:
        with aws_errors():
            return self._errors(project, self._read(project)).group(group)

    def change_error(self, project: str, group: int, state: Change) -> ErrorGroupDetail:
        with aws_errors():
            live = self._read(project)
            return self._errors(project, live).change(group, state, live.newest)

    def _errors(self, project: str, live: Live) -> LoggedErrors:
        def read() -> Iterator[Failed]:
            return read_errors(self.aws, project, time.time() - KEPT_S, live.versions)

        return LoggedErrors(project, read, TableStates(self.aws, project, live))

    def audit(self, project: str, query: AuditQuery) -> Iterator[AuditEntry]:
        """Yields what instances have printed of it, as far as it is kept."""
        with aws_errors():
            self._read(project)
            yield from selected(read_audit(self.aws, project, query.since), query)

    def verify_audit(self, project: str) -> Verified:
        with aws_errors():
            self._read(project)
            return verify_instances(project, read_audit(self.aws, project, 0.0))

    def logs(self, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
        with aws_errors():
            self._read(project)
            yield from read_logs(self.aws, project, follow=follow, query=query)

    def _read(self, project: str) -> Live:
        live = read_live(self.aws, project)
        if live.leads_to is None:
            raise _missing(project)
        return live


def _active(project: str, live: Live) -> Version:
    if live.active is None:
        raise InputError(
            f"{ALIAS} of {project} leads to version {live.leads_to}, which homeport did not publish",
            hint=f"homeport rollback {project} --target lambda leads it to the newest release; or deploy again",
        )
    return live.active


def _missing(project: str) -> NotFoundError:
    return NotFoundError(f"there is no project {project!r} on Lambda", hint="homeport list --target lambda")


def _release(project: str, live: Live, number: int | None) -> Version:
    served = live.releases
    if number is None:
        before = [version for version in served if live.active is None or version.release < live.active.release]
        found = before[-1] if before else None
    else:
        found = next((version for version in served if version.release == number), None)
    if found is None:
        what = f"release v{number}" if number is not None else "release before the active one"
        raise NotFoundError(f"{project} has no {what}", hint=f"homeport versions {project} --target lambda")
    return found
