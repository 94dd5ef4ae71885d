"""Implements the everyday operations on projects on a cluster, which need nothing of the build."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from ...api.audit_entry import AuditEntry, Verified
from ...api.audit_query import AuditQuery
from ...api.client_token import ListedClientToken, NewClientToken, WantedClientToken
from ...api.deployment import DeploymentEntry
from ...api.difference import ToolsDifference
from ...api.error_group import Change, ErrorGroup, ErrorGroupDetail
from ...api.log_record import LogRecord
from ...api.metrics import By, Metrics
from ...api.release import Release as ShownRelease
from ...api.secret import ListedSecret, SecretsSet, SecretUnset
from ...api.status import ChangedStatus, Status, StatusWithToken
from ...audit.instances import selected, verify_instances
from ...config.image_reference import parse_reference
from ...contract import compare
from ...errors import HomeportError, InputError, NotFoundError, ReleaseError
from ...log_query import LogQuery
from ...origin import Origin, describe_release, this_user
from ...secrets.base import check_secret, check_secret_name
from ..base import Endpoint, Note, Removal
from ..log_errors import LoggedErrors
from ..log_metrics import calls_of, metrics_of
from .cluster import Cluster, Object
from .desired import as_release, with_template
from .group_states import ConfigMapStates
from .keys import renew_token
from .live import Live, Release, read_live
from .logs import read_audit, read_errors, read_logs
from .names import PROJECT, RESTARTED_AT, annotations_of, check_name_fits
from .removal import Found, find_all, remove_all
from .secrets import ProjectSecrets, has_other_values
from .status import is_known, status_of, whole_status
from .switch import switch


class KubernetesProjects:
    """Operates on projects.

    Every method raises ClusterError if the cluster cannot be reached or refuses, and NotFoundError if the project does
    not exist.
    """

    def __init__(self, cluster: Cluster, note: Note) -> None:
        self.cluster = cluster
        self.note = note

    def deployed_from(self, place: str) -> str | None:
        found = [status["project"] for status in self.list_projects() if status["folder"] == place]
        return found[0] if len(found) == 1 else None

    @contextmanager
    def reached(self, project: str) -> Iterator[Endpoint]:
        """Yields the URL where it can be reached from here, else a port of this machine that leads to the pods."""
        endpoint = Endpoint.of(self.status(project))
        if is_known(endpoint.name):
            yield endpoint
            return
        # Imported late, since few commands need it.
        from .forwarding import forwarded

        with forwarded(self.cluster, project, self.note) as port:
            yield replace(endpoint, url=f"http://127.0.0.1:{port}/mcp")

    def list_projects(self) -> list[Status]:
        deployments = self.cluster.list("Deployment", {"app.kubernetes.io/managed-by": "homeport"})
        names = [each["metadata"]["name"] for each in deployments if PROJECT in each["metadata"]["labels"]]
        return [status_of(self.cluster, name, read_live(self.cluster, name)) for name in names]

    def status(self, project: str) -> Status:
        return whole_status(self.cluster, project, self._read(project))

    def versions(self, project: str) -> list[ShownRelease]:
        live = self._read(project)
        secrets = ProjectSecrets(self.cluster, project)
        documents = secrets.documents() if any(each.secrets(secrets.prefix) for each in live.releases) else {}

        def numbers(release: Release) -> dict[str, int | None]:
            used = release.secrets(secrets.prefix)
            return {
                name: documents[secret].numbers([name])[name] if secret in documents else None
                for name, secret in used.items()
            }

        return [
            {
                "release": f"v{release.number}",
                "state": "active" if release == live.active else "failed" if release.error else "inactive",
                "created_at": release.made_at,
                "bundle": release.bundle,
                "reason": release.reason,
                "secrets": numbers(release),
                "error": release.error,
                "origin": release.origin.data(),
            }
            for release in reversed(live.releases)
        ]

    def deployments(self, project: str) -> list[DeploymentEntry]:
        return [describe_release(version) for version in self.versions(project)]

    def difference(self, project: str, old: int, new: int) -> ToolsDifference:
        from ...images.contract import contract_of

        live = self._read(project)
        before, after = (contract_of(parse_reference(_release(project, live, number).image)) for number in (old, new))
        return compare(before, after).data()

    def rollback(self, project: str, release: int | None) -> ChangedStatus:
        """Serves a release again, with the secrets and the `[auth]` that it had; the token is the present one."""
        live = self._read(project)
        wanted = _release(project, live, release)
        changed = live.active is None or wanted.number != live.active.number
        if changed:
            self._switch(live, wanted.template)
        return {**self.status(project), "changed": changed}

    def renew_token(self, project: str) -> StatusWithToken:
        """Returns the project's status with its new token.

        Raises InputError if callers need none.
        """
        live = self._read(project)
        active = _active(project, live)
        secret = active.secret_of("HOMEPORT_TOKEN_HASH")
        if secret is None:
            raise InputError(
                f"{project} asks for no token",
                hint='write mode = "token" under [auth] in its fastmcp.toml, and deploy it',
            )
        token = renew_token(self.cluster, project, secret)
        template = copy.deepcopy(active.template)
        template["metadata"]["annotations"] = {**annotations_of(template), RESTARTED_AT: f"{time.time():.3f}"}
        self._switch(live, template)
        return {**self.status(project), "token": token}

    def create_client_token(self, _project: str, _wanted: WantedClientToken) -> NewClientToken:
        raise _no_client_tokens()

    def client_tokens(self, _project: str) -> list[ListedClientToken]:
        raise _no_client_tokens()

    def revoke_client_token(self, _project: str, _token_id: str) -> None:
        raise _no_client_tokens()

    def secrets(self, project: str) -> list[ListedSecret]:
        return ProjectSecrets(self.cluster, project).listed(read_live(self.cluster, project))

    def set_secrets(self, project: str, values: Mapping[str, str]) -> SecretsSet:
        """Stores the values that have changed, and makes a release with them if the active one has others.

        Raises ReleaseError if that release does not start: the values are stored, and the old release still serves.
        """
        check_name_fits(project)
        for name, value in values.items():
            check_secret(name, value)
        live = read_live(self.cluster, project)
        changed = ProjectSecrets(self.cluster, project).set(values)
        return {"project": project, "changed": changed, "release": self._renew(project, live)}

    def _renew(self, project: str, live: Live) -> str | None:
        """Makes a release of the active one with the present secrets, and returns which; None if its values are the
        same.
        """
        secrets = ProjectSecrets(self.cluster, project)
        active, documents = live.active, secrets.documents()
        now = next(reversed(documents.values()), None)
        used = active.secrets(secrets.prefix) if active else {}
        other = has_other_values(documents, used, now)
        if active is None or now is None or not other:
            return None
        shown = ", ".join(other)
        try:
            if unset := [name for name in used if name not in now.values]:
                raise ReleaseError(f"it needs {', '.join(unset)}, too, which is not set any more")
            template = _with_secrets(active.template, secrets.prefix, now.name)
            self._switch(live, as_release(template, live.next_number, f"secret {shown}", Origin(this_user())))
        except HomeportError as error:
            raise ReleaseError(
                f"{shown} is stored, but v{active.number} of {project} keeps serving without it: {error.message}",
                hint=error.hint,
            ) from None
        secrets.prune(read_live(self.cluster, project))
        return f"v{live.next_number}"

    def unset_secret(self, project: str, name: str) -> SecretUnset:
        check_secret_name(name)
        secrets = ProjectSecrets(self.cluster, project)
        live = read_live(self.cluster, project)
        if not secrets.unset(name):
            raise NotFoundError(
                f"{project} has no secret {name}", hint=f"homeport secrets --project {project} --target kubernetes"
            )
        used = live.active is not None and name in live.active.secrets(secrets.prefix)
        secrets.prune(live)
        return {"project": project, "name": name, "in_use": f"v{live.active.number}" if used and live.active else None}

    def removal(self, project: str) -> Removal:
        found = self._found(project)
        return found.removal(read_live(self.cluster, project) if found.has_deployment else Live(None, ()))

    def destroy(self, project: str) -> None:
        remove_all(self.cluster, project, self._found(project))

    def _found(self, project: str) -> Found:
        found = find_all(self.cluster, project)
        if not found.ours:
            if found.foreign:
                raise InputError(
                    f"nothing of this is homeport's: {'; '.join(found.foreign)}",
                    hint="what was applied with kubectl is removed with it: kubectl delete -f FILE",
                )
            raise self._missing(project)
        return found

    def metrics(self, project: str, since: float, by: By) -> Metrics:
        """Returns what the pods that there are have in their logs: calls of tools, and no other operations."""
        self._read(project)
        records = read_logs(self.cluster, project, follow=False, query=LogQuery(since=since))
        return metrics_of(project, calls_of(project, records), since, time.time(), by)

    def errors(self, project: str) -> list[ErrorGroup]:
        """Returns the groups of the errors that the pods that there are have in their logs."""
        return self._errors(project, self._read(project)).groups()

    def error(self, project: str, group: int) -> ErrorGroupDetail:
        return self._errors(project, self._read(project)).group(group)

    def change_error(self, project: str, group: int, state: Change) -> ErrorGroupDetail:
        live = self._read(project)
        return self._errors(project, live).change(group, state, live.next_number - 1)

    def _errors(self, project: str, live: Live) -> LoggedErrors:
        # `_read` has found one.
        states = ConfigMapStates(self.cluster, project, live.deployment or {})
        return LoggedErrors(project, lambda: read_errors(self.cluster, project), states)

    def audit(self, project: str, query: AuditQuery) -> Iterator[AuditEntry]:
        """Yields what instances have printed of it, as far as it is kept."""
        self._read(project)
        yield from selected(read_audit(self.cluster, project, query.since), query)

    def verify_audit(self, project: str) -> Verified:
        self._read(project)
        return verify_instances(project, read_audit(self.cluster, project, 0.0))

    def logs(self, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
        self._read(project)
        yield from read_logs(self.cluster, project, follow=follow, query=query)

    def _switch(self, live: Live, template: Object) -> None:
        if live.deployment is not None:
            switch(self.cluster, live, with_template(live.deployment, template), self.note)

    def _read(self, project: str) -> Live:
        live = read_live(self.cluster, project)
        if live.deployment is None:
            raise self._missing(project)
        return live

    def _missing(self, project: str) -> NotFoundError:
        to = self.cluster.connection
        return NotFoundError(
            f"there is no project {project!r} in namespace {to.namespace} of context {to.context}",
            hint="homeport list --target kubernetes",
        )


def _no_client_tokens() -> InputError:
    return InputError(
        "homeport makes no client tokens for projects on Kubernetes",
        hint="`homeport new-token NAME --target kubernetes` replaces the token that all clients have",
    )


def _active(project: str, live: Live) -> Release:
    if live.active is None:
        raise InputError(
            f"the Deployment {project} has pods that homeport did not describe",
            hint=f"homeport rollback {project} v1 --target kubernetes gives it a release; or deploy again",
        )
    return live.active


def _release(project: str, live: Live, number: int | None) -> Release:
    served = [release for release in live.releases if release.error is None or release == live.active]
    if number is None:
        before = [release for release in served if live.active is None or release.number < live.active.number]
        found = before[-1] if before else None
    else:
        found = next((release for release in live.releases if release.number == number), None)
    if found is None:
        what = f"release v{number}" if number is not None else "release before the active one"
        raise NotFoundError(f"{project} has no {what}", hint=f"homeport versions {project} --target kubernetes")
    return found


def _with_secrets(template: Object, prefix: str, secret: str) -> Object:
    """Returns a pod template whose secrets come from another version."""
    changed: Object = copy.deepcopy(template)
    for variable in changed["spec"]["containers"][0]["env"]:
        reference = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
        if reference.get("name", "").startswith(prefix):
            reference["name"] = secret
    return changed
