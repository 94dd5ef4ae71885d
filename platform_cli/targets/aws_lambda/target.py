"""The everyday operations on projects on AWS Lambda."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from ...controlplane.access import hash_of, make_token
from ...controlplane.deployments import describe_release
from ...controlplane.store import Origin
from ...errors import InputError, NotFoundError
from ...log_query import LogQuery
from ...secrets.secrets_manager import ProjectSecrets
from .client import AWS, MISSING, absent, aws_errors
from .cost import estimate
from .live import Live, Version, check_not_of_stack, read_live
from .lock import deploy_lock
from .logs import read_logs
from .names import PREFIX, TAG, function_name
from .origins import read_origins
from .publish import switch
from .removal import remove_project
from .republish import republish
from .secrets import list_secrets, set_secrets, unset_secret


class LambdaTarget:
    """Raises ConfigError when no region is known, AWSError for what AWS refuses, NotFoundError."""

    name = "lambda"

    def __init__(self, aws: AWS) -> None:
        self._aws = aws

    def list_projects(self) -> list[dict[str, Any]]:
        with aws_errors():
            pages = self._aws.functions.get_paginator("list_functions").paginate()
            names = [one["FunctionName"] for page in pages for one in page["Functions"]]
            ours = [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]
            found = [(project, read_live(self._aws, project)) for project in ours if self._is_ours(project)]
        return [_status(project, live) for project, live in found if live.active]

    def _is_ours(self, project: str) -> bool:
        """False also for one that was destroyed meanwhile."""
        with absent(MISSING):
            arn = self._aws.functions.get_function_configuration(FunctionName=function_name(project))["FunctionArn"]
            return bool(self._aws.functions.list_tags(Resource=arn)["Tags"].get(TAG) == project)
        return False

    def status(self, project: str) -> dict[str, Any]:
        with aws_errors():
            live = self._read(project)
            cost = estimate(self._aws, project, live.active) if live.active else None
        return {**_status(project, live), "cost": cost}

    def versions(self, project: str) -> list[dict[str, Any]]:
        with aws_errors():
            live = self._read(project)
            origins = read_origins(self._aws, project)
        return [
            {
                "release": f"v{version.release}",
                "state": "active" if version == live.active else "inactive",
                "created_at": version.made_at,
                "bundle": version.identity,
                "reason": version.reason,
                "error": None,
                "origin": asdict(origins.get(version.release, Origin())),
            }
            for version in reversed(live.releases)
        ]

    def deployments(self, project: str) -> list[dict[str, Any]]:
        """The releases; which commits did not become one the platform that builds them knows."""
        return [describe_release(version) for version in self.versions(project)]

    def rollback(self, project: str, release: int | None) -> dict[str, Any]:
        """The release is as it was, with the secrets it had; who may call stays as it is now."""
        with aws_errors():
            self._read(project)
            with deploy_lock(self._aws, project):
                live = self._read(project)
                check_not_of_stack(project, live)
                wanted = _release(project, live, release)
                now = live.active.token_hash if live.active else None
                if wanted != live.active and wanted.token_hash == now:
                    switch(self._aws, project, wanted.number, newest=live.newest)
                elif wanted != live.active:
                    # It would let in whoever has a token that ended meanwhile.
                    self._again(project, live, wanted, now)
            return {**_status(project, self._read(project)), "changed": wanted != live.active}

    def renew_token(self, project: str) -> dict[str, Any]:
        """The project's new token, with its status. Raises InputError where everyone may call."""
        token = make_token()
        with aws_errors():
            self._read(project)
            with deploy_lock(self._aws, project):
                live = self._read(project)
                check_not_of_stack(project, live)
                if live.active is None or live.active.token_hash is None:
                    raise InputError(
                        f"everyone may call {project}: it has no token",
                        hint='write mode = "token" under [auth] in its fastmcp.toml, and deploy it',
                    )
                self._again(project, live, live.active, hash_of(token))
            return {**self.status(project), "token": token}

    def _again(self, project: str, live: Live, version: Version, token_hash: str | None) -> None:
        republish(
            self._aws,
            project,
            live,
            version,
            release=version.release,
            reason=version.reason,
            token_hash=token_hash,
            pin=version.pin,
        )

    def secrets(self, project: str) -> list[dict[str, Any]]:
        with aws_errors():
            return list_secrets(self._aws, project)

    def set_secrets(self, project: str, values: Mapping[str, str]) -> dict[str, Any]:
        with aws_errors():
            return set_secrets(self._aws, project, values)

    def unset_secret(self, project: str, name: str) -> dict[str, Any]:
        with aws_errors():
            return unset_secret(self._aws, project, name)

    def destroy(self, project: str) -> None:
        """See removal.py."""
        with aws_errors():
            live = read_live(self._aws, project)
            check_not_of_stack(project, live)
            if live.is_absent and not ProjectSecrets(self._aws, project).exist():
                raise _missing(project)
            remove_project(self._aws, project, live)

    def logs(self, project: str, *, follow: bool, query: LogQuery) -> Iterator[dict[str, Any]]:
        with aws_errors():
            self._read(project)
            yield from read_logs(self._aws, project, follow=follow, query=query)

    def _read(self, project: str) -> Live:
        live = read_live(self._aws, project)
        if live.active is None:
            raise _missing(project)
        return live


def _missing(project: str) -> NotFoundError:
    return NotFoundError(f"there is no project {project!r} on Lambda", hint="homeport list --target lambda")


def _release(project: str, live: Live, number: int | None) -> Version:
    served = live.releases
    if number is None and live.active:
        before = [version for version in served if version.release < live.active.release]
        found = before[-1] if before else None
    else:
        found = next((version for version in served if version.release == number), None)
    if found is None:
        what = f"release v{number}" if number is not None else "release before the active one"
        raise NotFoundError(f"{project} has no {what}", hint=f"homeport versions {project} --target lambda")
    return found


def _status(project: str, live: Live) -> dict[str, Any]:
    active = live.active
    if active is None:
        raise _missing(project)
    return {
        "project": project,
        "release": f"v{active.release}",
        "state": "serving",
        "target": "lambda",
        "url": live.url,
        "local_url": live.url,
        "mcp_url": f"{live.url}/mcp",
        "sse_url": f"{live.url}/sse",
        "workers": None,
        "last_error": f"instances are not kept ready: {reason}" if (reason := live.not_kept_ready) else None,
        "auth": "token" if active.token_hash else "none",
        "memory_mb": active.configuration["MemorySize"],
        "architecture": active.configuration["Architectures"][0],
        "instances": {
            "min": live.kept_ready,
            "ready": live.provisioned["AvailableProvisionedConcurrentExecutions"] if live.provisioned else 0,
            "max": live.reserved,
        },
    }
