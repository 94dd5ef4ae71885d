"""Stores secrets on AWS: one secret of Secrets Manager per project, a JSON object of names and texts.

Each change is a new version. Releases are pinned to versions by staging labels (`v3`), since AWS deletes versions
without one (https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html); 20 labels are
possible.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from homeport_runtime.loading.environment import RESERVED

from ...errors import AWSError, BusyError, InputError
from ..secret_changes import SecretChanges
from .client import AWS, MISSING, absent, code_of, hidden_errors
from .names import TAG, secret_name, tag_list

# The key under which homeport stores the values' history.
HISTORY = f"{RESERVED}HISTORY"
CURRENT = "AWSCURRENT"
# The label of a version until it is the current one.
NEXT = "homeport-next"
RELEASE = re.compile(r"v\d+")
# The most bytes of the whole object
# (https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html).
MAX_BYTES = 65536
ATTEMPTS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """Is the content of one version of the secret.

    `history` has the number and the time (in seconds since 1970) of the newest value of every name that ever was set.
    `reserved` are other values under homeport's own names: functions of earlier versions find there the key with which
    they seal requestState.
    """

    arn: str
    version: str
    values: Mapping[str, str] = field(repr=False)
    history: Mapping[str, tuple[int, float]]
    reserved: Mapping[str, str] = field(repr=False)


class _OvertakenError(Exception):
    """Says that another change came first."""


class ProjectSecrets(SecretChanges[Document]):
    """Reads and changes a project's secrets, and raises AWSError, which never has a value in it, for AWS's refusals."""

    def __init__(self, aws: AWS, project: str) -> None:
        self._client = aws.secrets
        self._project = project
        self._id = secret_name(project)

    def current(self) -> Document | None:
        """Returns the current version, None before anything was set."""
        described = self._describe()
        return self.at(_current(described)) if described else None

    def at(self, version: str) -> Document:
        with hidden_errors():
            answer = self._client.get_secret_value(SecretId=self._id, VersionId=version)
        try:
            values = json.loads(answer["SecretString"])
            remembered = json.loads(values.pop(HISTORY, "{}"))
            reserved = {name: values.pop(name) for name in list(values) if name.startswith(RESERVED)}
            history = {name: (1, answer["CreatedDate"].timestamp()) for name in values}
            history |= {name: (number, set_at) for name, (number, set_at) in remembered.items()}
        except (KeyError, ValueError, TypeError, AttributeError):
            values, reserved, history = None, {}, {}
        if values is None or not all(isinstance(value, str) for value in values.values()):
            raise AWSError(f"{self._id} on AWS is no JSON object of texts", hint="repair or delete it there")
        return Document(answer["ARN"], version, values, history, reserved)

    def _first(self, change: Callable[[Document | None], T]) -> T:
        """Applies a change to the current version, again if another change came first."""
        retrying = Retrying(
            retry=retry_if_exception_type(_OvertakenError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random(0, 0.5),
            reraise=True,
        )
        try:
            return retrying(lambda: change(self.current()))
        except _OvertakenError:
            raise BusyError(
                f"somebody else is changing the secrets of {self._project}", hint="run the command again in a moment"
            ) from None

    def pin(self, version: str, release: int) -> None:
        """Keeps a version for a release."""
        label = f"v{release}"
        stages = (self._describe() or {})["VersionIdsToStages"]
        holder = next((known for known, labels in stages.items() if label in labels), None)
        if holder != version:
            self._label(label, MoveToVersionId=version, **({"RemoveFromVersionId": holder} if holder else {}))

    def unpin_all_but(self, releases: Collection[int]) -> None:
        described = self._describe()
        kept = {f"v{release}" for release in releases}
        for version, labels in (described or {}).get("VersionIdsToStages", {}).items():
            for label in labels:
                if RELEASE.fullmatch(label) and label not in kept:
                    self._label(label, RemoveFromVersionId=version)

    def exist(self) -> bool:
        """Tells whether the secret exists, even if it is scheduled to be deleted."""
        return self._described() is not None

    def are_ours(self) -> bool:
        """Tells whether homeport has made the secret, since one of that name may be somebody else's."""
        tags = (self._described() or {}).get("Tags", ())
        return {"Key": TAG, "Value": self._project} in tags

    def forget(self) -> None:
        """Deletes the secret for good, and at once, so that its name is free again."""
        with hidden_errors(), absent(MISSING):
            self._client.delete_secret(SecretId=self._id, ForceDeleteWithoutRecovery=True)

    def _describe(self) -> dict[str, Any] | None:
        described = self._described()
        if described and described.get("DeletedDate"):
            raise AWSError(
                f"the secret {self._id} is scheduled to be deleted on AWS",
                hint=f"aws secretsmanager restore-secret --secret-id {self._id}",
            )
        return described

    def _described(self) -> dict[str, Any] | None:
        with hidden_errors(), absent(MISSING):
            described: dict[str, Any] = self._client.describe_secret(SecretId=self._id)
            return described
        return None

    def _write(self, before: Document | None, values: Mapping[str, str], touched: Collection[str]) -> None:
        text = json.dumps(self._content(before, values, touched), ensure_ascii=False)
        if (size := len(text.encode())) > MAX_BYTES:
            raise InputError(
                f"the secrets of {self._project} would have {size} bytes together; Secrets Manager takes {MAX_BYTES}",
                hint="unset what is not needed, or keep large files elsewhere and only their key here",
            )
        with hidden_errors():
            if before is None:
                tags = tag_list({TAG: self._project})
                # The second code is that of a secret with this name that AWS is still deleting.
                with _overtaken("ResourceExistsException", "InvalidRequestException"):
                    self._client.create_secret(Name=self._id, SecretString=text, Tags=tags)
                return
            # There are two steps, of which the second is refused if the current version is not the one before any more.
            made = self._client.put_secret_value(SecretId=self._id, SecretString=text, VersionStages=[NEXT])
            with _overtaken("InvalidParameterException"):
                self._client.update_secret_version_stage(
                    SecretId=self._id,
                    VersionStage=CURRENT,
                    MoveToVersionId=made["VersionId"],
                    RemoveFromVersionId=before.version,
                )

    def _content(self, before: Document | None, values: Mapping[str, str], touched: Collection[str]) -> dict[str, str]:
        history = dict(before.history) if before else {}
        for name in touched:
            history[name] = (history[name][0] + 1 if name in history else 1, round(time.time(), 3))
        return {**values, **(before.reserved if before else {}), HISTORY: json.dumps(history)}

    def _label(self, label: str, **move: str) -> None:
        with hidden_errors():
            self._client.update_secret_version_stage(SecretId=self._id, VersionStage=label, **move)


@contextmanager
def _overtaken(*codes: str) -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if code_of(error) not in codes:
            raise
        raise _OvertakenError from None


def _current(described: Mapping[str, Any]) -> str:
    stages: Mapping[str, list[str]] = described["VersionIdsToStages"]
    return next(version for version, labels in stages.items() if CURRENT in labels)
