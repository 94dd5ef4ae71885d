"""Secrets on AWS: one secret of Secrets Manager per project, a JSON object of names and texts.

Each change is a new version of it. Releases are pinned to versions by staging labels (`v3`), since AWS forgets versions
without one (https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html); it takes 20 labels.
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
from .client import AWS, MISSING, absent, code_of, hidden_errors
from .names import TAG, secret_name, tag_list

# What homeport itself remembers of the values.
HISTORY = f"{RESERVED}HISTORY"
CURRENT = "AWSCURRENT"
# On a version from its first moment until it is the current one.
NEXT = "homeport-next"
RELEASE = re.compile(r"v\d+")
# Of the whole object (https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html).
MAX_BYTES = 65536
ATTEMPTS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """What one version of the secret says; `history` has the number and the time (Unix, in seconds) of the newest value
    of every name that ever was set. `reserved` is what else has a name of homeport's own: functions of an earlier
    homeport find the key there that they seal requestState with.
    """

    arn: str
    version: str
    values: Mapping[str, str] = field(repr=False)
    history: Mapping[str, tuple[int, float]]
    reserved: Mapping[str, str] = field(repr=False)


class _OvertakenError(Exception):
    """Somebody else's change came first."""


class ProjectSecrets:
    """Raises AWSError, which never has a value in it."""

    def __init__(self, aws: AWS, project: str) -> None:
        self._client = aws.secrets
        self._project = project
        self._id = secret_name(project)

    def current(self) -> Document | None:
        """None before anything was set."""
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

    def set(self, values: Mapping[str, str]) -> list[str]:
        """Stores the values that differ from the current ones, all or none; returns their names."""
        return self._first(lambda before: self._set(before, values))

    def _set(self, before: Document | None, values: Mapping[str, str]) -> list[str]:
        known = before.values if before else {}
        changed = {name: value for name, value in values.items() if known.get(name) != value}
        if changed:
            self._write(before, {**known, **changed}, changed)
        return list(changed)

    def unset(self, name: str) -> bool:
        """False when it was not set."""
        return self._first(lambda before: self._unset(before, name))

    def _unset(self, before: Document | None, name: str) -> bool:
        if before is None or name not in before.values:
            return False
        self._write(before, {key: value for key, value in before.values.items() if key != name}, {name})
        return True

    def _first(self, change: Callable[[Document | None], T]) -> T:
        """Does it to what there is now, again when somebody else's change comes before it."""
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
        """The version is kept for the release."""
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
        """Also when somebody has scheduled them to be deleted."""
        return self._described() is not None

    def are_ours(self) -> bool:
        """Whether homeport made them: a secret of that name may be somebody else's."""
        tags = (self._described() or {}).get("Tags", ())
        return {"Key": TAG, "Value": self._project} in tags

    def forget(self) -> None:
        """Deletes all of it for good, and at once: the name is free again."""
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
                # The second for as long as AWS still deletes the one that had the name before.
                with _overtaken("ResourceExistsException", "InvalidRequestException"):
                    self._client.create_secret(Name=self._id, SecretString=text, Tags=tags)
                return
            # In two steps, the second of which is refused when there is another current version than the one before.
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
