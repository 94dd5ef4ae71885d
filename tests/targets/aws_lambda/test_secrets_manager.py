"""Tests the store on AWS, against moto."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError

from homeport_runtime.aws.secrets import fetch_secret
from platform_cli.errors import AWSError, BusyError, InputError
from platform_cli.targets.aws_lambda.client import AWS, hidden_errors
from platform_cli.targets.aws_lambda.secrets_manager import MAX_BYTES, Document, ProjectSecrets
from tests.aws.conftest import moto
from tests.aws.moto_server import Moto

__all__ = ["moto"]

HIDDEN = "sk-hidden-value"


@pytest.fixture
def project() -> str:
    return f"p{os.urandom(4).hex()}"


@pytest.fixture
def secrets(moto: Moto, project: str, monkeypatch: pytest.MonkeyPatch) -> ProjectSecrets:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    return ProjectSecrets(AWS(None), project)


def now(secrets: ProjectSecrets) -> Document:
    current = secrets.current()
    assert current is not None
    return current


def labels(moto: Moto, project: str) -> dict[str, list[str]]:
    described = moto.client("secretsmanager").describe_secret(SecretId=f"homeport/{project}")
    return {version: sorted(labels) for version, labels in described["VersionIdsToStages"].items()}


def test_set_and_unset(secrets: ProjectSecrets, moto: Moto, project: str) -> None:
    assert secrets.current() is None
    assert secrets.unset("A") is False
    assert secrets.set({"A": HIDDEN, "B": "1"}) == ["A", "B"]
    assert secrets.set({"A": HIDDEN, "B": "2"}) == ["B"]
    assert secrets.unset("A") is True
    document = now(secrets)
    assert (document.values, {name: number for name, (number, _) in document.history.items()}) == (
        {"B": "2"},
        {"A": 2, "B": 2},
    )
    assert HIDDEN not in repr(document)
    described = moto.client("secretsmanager").describe_secret(SecretId=f"homeport/{project}")
    assert described["Tags"] == [{"Key": "homeport:project", "Value": project}]


def test_the_runtime_reads_the_version_that_a_release_is_pinned_to(secrets: ProjectSecrets) -> None:
    secrets.set({"A": "first"})
    first = now(secrets)
    secrets.pin(first.version, 1)
    secrets.set({"A": "second"})
    assert fetch_secret(first.arn, first.version)["A"] == "first"
    assert fetch_secret(first.arn, now(secrets).version)["A"] == "second"


def test_releases_keep_their_versions_by_labels(secrets: ProjectSecrets, moto: Moto, project: str) -> None:
    versions = []
    for release in range(1, 5):
        secrets.set({"A": f"value {release}"})
        versions.append(now(secrets).version)
        secrets.pin(versions[-1], release)
        secrets.pin(versions[-1], release)
    secrets.pin(versions[3], 1)
    secrets.unpin_all_but({1, 3})
    assert [[label for label in labels(moto, project)[one] if label[1:].isdigit()] for one in versions] == [
        [], [], ["v3"], ["v1"],
    ]  # fmt: skip
    assert secrets.at(versions[2]).values == {"A": "value 3"}


def test_of_two_changes_at_once_none_is_lost(secrets: ProjectSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.set({"A": "1"})
    stale, read = now(secrets), ProjectSecrets.current
    seen = iter([stale])
    other = {"B": "of somebody else"}
    secrets.set(other)
    monkeypatch.setattr(ProjectSecrets, "current", lambda self: next(seen, None) or read(self))
    assert secrets.set({"C": "mine"}) == ["C"]
    assert now(secrets).values == {"A": "1", **other, "C": "mine"}
    monkeypatch.setattr(ProjectSecrets, "current", lambda _self: stale)
    with pytest.raises(BusyError, match="somebody else is changing"):
        secrets.set({"D": "never"})


def test_what_does_not_fit_changes_nothing(secrets: ProjectSecrets, project: str) -> None:
    secrets.set({"A": "1"})
    with pytest.raises(InputError, match=f"Secrets Manager takes {MAX_BYTES}"):
        secrets.set({"B": "x" * (MAX_BYTES - 50)})
    assert now(secrets).values == {"A": "1"}


def test_deleted_for_good_and_the_name_is_free(secrets: ProjectSecrets, moto: Moto, project: str) -> None:
    secrets.set({"A": "1"})
    assert secrets.exist()
    secrets.forget()
    secrets.forget()
    assert (secrets.exist(), secrets.current()) == (False, None)
    assert secrets.set({"A": "2"}) == ["A"]
    moto.client("secretsmanager").delete_secret(SecretId=f"homeport/{project}")
    with pytest.raises(AWSError) as caught:
        secrets.set({"A": "3"})
    assert caught.value.hint == f"aws secretsmanager restore-secret --secret-id homeport/{project}"
    secrets.forget()
    assert not secrets.exist()


@pytest.mark.parametrize(
    ("held", "values"), [({"A": "by hand"}, {"A": "by hand"}), (["A"], None), ({"A": 1}, None), ("text", None)]
)
def test_a_secret_that_somebody_wrote_by_hand(
    secrets: ProjectSecrets, moto: Moto, project: str, held: Any, values: dict[str, str] | None
) -> None:
    moto.client("secretsmanager").create_secret(Name=f"homeport/{project}", SecretString=json.dumps(held))
    if values is None:
        with pytest.raises(AWSError, match="is no JSON object of texts"):
            secrets.current()
        return
    assert (now(secrets).values, now(secrets).history["A"][0]) == (values, 1)
    secrets.set({"B": "2"})
    assert now(secrets).values == {"A": "by hand", "B": "2"}


def test_what_functions_of_an_earlier_homeport_have_there_stays(
    secrets: ProjectSecrets, moto: Moto, project: str
) -> None:
    before = {"A": "1", "HOMEPORT_STATE_KEY": HIDDEN}
    moto.client("secretsmanager").create_secret(Name=f"homeport/{project}", SecretString=json.dumps(before))
    secrets.set({"B": "2"})
    document = now(secrets)
    assert (document.values, HIDDEN in repr(document)) == ({"A": "1", "B": "2"}, False)
    assert fetch_secret(document.arn)["HOMEPORT_STATE_KEY"] == HIDDEN


def test_what_aws_says_of_a_call_is_not_told(secrets: ProjectSecrets) -> None:
    """AWS's words may quote the call, as botocore's do with what it does not take."""
    with pytest.raises(AWSError) as caught, hidden_errors():
        AWS(None).secrets.put_secret_value(SecretId=1, SecretString=[HIDDEN])
    assert HIDDEN not in f"{caught.value.message} {caught.value.hint}"
    refusal = {"Error": {"Code": "ValidationException", "Message": f"1 error: Value '{HIDDEN}' at 'secretString'"}}
    with pytest.raises(AWSError) as caught, hidden_errors():
        raise ClientError(refusal, "PutSecretValue")
    assert "ValidationException" in caught.value.message
    assert HIDDEN not in f"{caught.value.message} {caught.value.hint}"
