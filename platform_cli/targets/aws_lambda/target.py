"""The everyday operations on projects on AWS Lambda."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from ...errors import NotFoundError
from .client import AWS, absent, aws_errors
from .live import MISSING, Live, Version, read_live
from .lock import deploy_lock
from .names import ALIAS, PREFIX, TAG, function_name, log_group, role_name

FOLLOW_S = 2.0
# Events come late and out of order: what was looked at is looked at once more.
OVERLAP_MS = 10_000


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
        arn = self._aws.functions.get_function_configuration(FunctionName=function_name(project))["FunctionArn"]
        tags = self._aws.functions.list_tags(Resource=arn)["Tags"]
        return bool(tags.get(TAG) == project)

    def status(self, project: str) -> dict[str, Any]:
        with aws_errors():
            return _status(project, self._read(project))

    def versions(self, project: str) -> list[dict[str, Any]]:
        with aws_errors():
            live = self._read(project)
        return [
            {
                "release": f"v{version.release}",
                "state": "active" if version == live.active else "inactive",
                "created_at": version.made_at,
                "bundle": version.identity,
                "reason": "deploy",
                "error": None,
            }
            for version in reversed(live.versions)
            if version not in live.unfinished
        ]

    def rollback(self, project: str, release: int | None) -> dict[str, Any]:
        """Moves the alias, and nothing else: the version is as it was, with the secrets it had."""
        with aws_errors():
            self._read(project)
            with deploy_lock(self._aws, project):
                live = self._read(project)
                wanted = _release(project, live, release)
                if wanted != live.active:
                    self._aws.functions.update_alias(
                        FunctionName=function_name(project), Name=ALIAS, FunctionVersion=wanted.number
                    )
            return {**_status(project, self._read(project)), "changed": wanted != live.active}

    def destroy(self, project: str) -> None:
        """The function with its URL and versions, its role, and its logs. Layers are shared and cost nothing."""
        with aws_errors():
            live = read_live(self._aws, project)
            if live.function is None and live.role is None and not live.has_group:
                raise _missing(project)
            with absent(MISSING):
                self._aws.functions.delete_function_url_config(FunctionName=function_name(project), Qualifier=ALIAS)
            with absent(MISSING):
                self._aws.functions.delete_function(FunctionName=function_name(project))
            with absent("NoSuchEntity"):
                self._aws.roles.delete_role_policy(RoleName=role_name(project), PolicyName="homeport")
            with absent("NoSuchEntity"):
                self._aws.roles.delete_role(RoleName=role_name(project))
            with absent(MISSING):
                self._aws.logs.delete_log_group(logGroupName=log_group(project))

    def logs(self, project: str, *, follow: bool) -> Iterator[dict[str, Any]]:
        """What the server printed, oldest first; CloudWatch has it some seconds later."""
        seen: set[str] = set()
        start = 0
        with aws_errors():
            self._read(project)
            while True:
                newest = start
                pages = self._aws.logs.get_paginator("filter_log_events").paginate(
                    logGroupName=log_group(project), startTime=start
                )
                for event in (event for page in pages for event in page["events"]):
                    if event["eventId"] not in seen:
                        seen.add(event["eventId"])
                        newest = max(newest, event["timestamp"])
                        yield _record(event)
                if not follow:
                    return
                start = max(0, newest - OVERLAP_MS)
                time.sleep(FOLLOW_S)

    def _read(self, project: str) -> Live:
        live = read_live(self._aws, project)
        if live.active is None:
            raise _missing(project)
        return live


def _missing(project: str) -> NotFoundError:
    return NotFoundError(f"there is no project {project!r} on Lambda", hint="homeport list --target lambda")


def _release(project: str, live: Live, number: int | None) -> Version:
    served = [version for version in live.versions if version not in live.unfinished]
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
        "last_error": None,
        "auth": "token" if active.token_hash else "none",
        "memory_mb": active.configuration["MemorySize"],
        "architecture": active.configuration["Architectures"][0],
    }


def _record(event: dict[str, Any]) -> dict[str, Any]:
    """A record of the runtime's telemetry as it is; a line of Lambda's own as the message of one."""
    text = str(event["message"]).rstrip("\n")
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    plain = {"time": event["timestamp"] / 1000, "level": "info", "release": "-", "message": text}
    return {**plain, **said} if isinstance(said, dict) and "message" in said else plain
