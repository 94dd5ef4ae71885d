"""Tests links and deployments, wherever they are kept: SQLite at home, DynamoDB on AWS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from platform_cli.aws_platform import deployments as dynamo_deployments
from platform_cli.aws_platform.contracts import Contracts
from platform_cli.aws_platform.deployments import DynamoDeployments
from platform_cli.aws_platform.links import DynamoLinks, SecretsManagerVault
from platform_cli.aws_platform.names import TABLE
from platform_cli.aws_platform.resources import TableResource
from platform_cli.aws_platform.table import Table
from platform_cli.controlplane import sqlite_deployments
from platform_cli.controlplane.sqlite_deployments import SQLiteDeployments
from platform_cli.controlplane.sqlite_links import SQLiteLinks, StoreVault
from platform_cli.controlplane.store import Store
from platform_cli.errors import InputError, RevokedTokenError
from platform_cli.github.repository import GitHub, Repository
from platform_cli.home import Home
from platform_cli.pushes.deployments import DeploymentRequest, Deployments
from platform_cli.pushes.linking import forget_repository
from platform_cli.pushes.links import Link, Links
from platform_cli.secrets.sqlite import SQLiteSecretStore
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.publish import KEPT_RELEASES
from tests.aws.moto_server import Moto, moto

__all__ = ["moto"]

GITHUB = GitHub("https://github.com", "https://api.github.com")


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    connected = AWS(None)
    TableResource(connected, TABLE).make()
    yield connected
    connected.tables.delete_table(TableName=TABLE)


@pytest.fixture(params=["home", "aws"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Links, Deployments]]:
    if request.param == "aws":
        aws = request.getfixturevalue("aws")
        table = Table(aws)
        yield DynamoLinks(table, SecretsManagerVault(aws)), DynamoDeployments(table)
        return
    store, secrets = Store(tmp_path / "store.db"), SQLiteSecretStore(Home(tmp_path))
    yield SQLiteLinks(store.db, StoreVault(secrets)), SQLiteDeployments(store.db)
    store.close()
    secrets.close()


def request(sha: str | None, project: str = "one", pull: int | None = None) -> DeploymentRequest:
    return DeploymentRequest(project, "one", sha, pull)


def test_a_queue_in_which_the_newest_overtakes(kept: tuple[Links, Deployments]) -> None:
    _, deployments = kept
    assert deployments.receive("d1", [request("a")]) == ["one"]
    assert deployments.receive("d1", [request("b")]) == [], "it was here before"
    assert deployments.receive("d2", [request("a")]) == [], "that commit waits already"
    assert deployments.receive("d3", [request("b"), request("b", "two")]) == ["one", "two"]
    assert [(one.sha, one.state) for one in deployments.of("one")] == [("b", "waiting"), ("a", "overtaken")]

    running = deployments.begin("one")
    assert running is not None
    assert (running.sha, running.state, deployments.begin("one")) == ("b", "running", None)
    deployments.append_log(running, "first")
    deployments.append_log(running, "second")
    assert deployments.log(running) == "first\nsecond\n"
    deployments.restart("one")
    again = deployments.begin("one")
    assert again is not None
    assert (again.id, deployments.log(again)) == (running.id, ""), "a builder that was killed begins anew"
    deployments.add(request("c"))
    deployments.restart("one")
    assert [(one.sha, one.state) for one in deployments.of("one")][:2] == [("c", "waiting"), ("b", "overtaken")]

    last = deployments.begin("one")
    assert last is not None
    deployments.end(last, "failed", error="why", difference={"added": ["x"]}, blocked=True)
    newest = deployments.newest("one")
    assert newest is not None
    assert (newest.error, newest.difference, newest.blocked, deployments.live("one")) == (
        "why", {"added": ["x"]}, True, None,
    )  # fmt: skip
    assert [(one.sha, one.state) for one in deployments.unreported("one")] == [("c", "failed")]
    deployments.update(newest, reported="failed", github_id=7)
    assert (deployments.unreported("one"), deployments.github_id("one")) == ([], 7)
    assert deployments.add(request("c")), "what failed may be tried again"
    assert not deployments.add(request("c"))
    assert deployments.add(request("c"), again=True)


def test_previews_outlive_their_project(kept: tuple[Links, Deployments]) -> None:
    _, deployments = kept
    deployments.receive("d1", [request("a"), request("a", "one-pr-7", 7)])
    assert (deployments.previews("one"), deployments.comment("one-pr-7")) == (["one-pr-7"], None)
    deployments.set_comment("one-pr-7", 5)
    assert deployments.comment("one-pr-7") == 5
    deployments.forget("one")
    deployments.forget("one-pr-7")
    assert (deployments.of("one"), [one.pull for one in deployments.of("one-pr-7")]) == ([], [7])
    assert deployments.add(request("b"))


def test_links_and_their_secrets(kept: tuple[Links, Deployments]) -> None:
    links, _ = kept
    repository = links.add_repository(Repository(GITHUB, "you/tools"), 12, "token-1")
    secret = links.webhook_secret(repository)
    assert (len(bytes.fromhex(secret)), links.token(repository)) == (32, "token-1")
    links.add(Link("one", repository, "main", "", previews=True))
    links.set_hook(repository, 99)
    links.set_error(repository, RevokedTokenError("revoked", hint="link again"))
    assert [(one.error, one.id) for one in links.with_hook(99)] == [("revoked; link again", repository.id)]
    same = links.add_repository(Repository(GITHUB, "you/renamed"), 12, "token-2")
    assert (links.token(same), links.webhook_secret(same)) == ("token-2", secret)
    (link,) = links.all()
    assert (link.repository.on_github.name, link.repository.error, link.previews) == ("you/renamed", None, True)
    with pytest.raises(InputError):
        links.check_free("two", same, "main", "")
    links.check_free("two", same, "main", "services")
    links.remove("one")
    links.remove_repository(same)
    assert (links.all(), links.repositories(), links.find("one")) == ([], [], None)


def test_a_token_that_somebody_deleted(aws: AWS) -> None:
    vault = SecretsManagerVault(aws)
    links = DynamoLinks(Table(aws), vault)
    repository = links.add_repository(Repository(GITHUB, "you/tools"), 12, "token-1")
    links.set_hook(repository, 99)
    vault.forget(repository.id)
    (known,) = links.repositories()
    assert asyncio.run(forget_repository(links, known)) == "the token for you/tools is gone"
    assert links.repositories() == []


def test_deliveries_at_once_on_aws(aws: AWS) -> None:
    def deliver(number: int) -> list[str]:
        return DynamoDeployments(Table(AWS(None))).receive(f"d{number}", [request(f"sha{number}")])

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(deliver, range(6)))
    assert answers == [["one"]] * 6
    known = DynamoDeployments(Table(aws)).of("one")
    assert [one.id for one in known] == list(range(6, 0, -1))
    assert [one.state for one in known] == ["waiting"] + ["overtaken"] * 5


def test_old_ones_go(kept: tuple[Links, Deployments], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sqlite_deployments, dynamo_deployments):
        monkeypatch.setattr(module, "KEPT", 3)
    _, deployments = kept
    for number in range(6):
        deployments.add(request(f"sha{number}"))
        if number == 0:
            assert deployments.begin("one")
    # What runs stays.
    assert [one.sha for one in deployments.of("one")] == ["sha5", "sha4", "sha3", "sha0"]


def test_deliveries_are_remembered_for_a_month_on_aws(aws: AWS) -> None:
    DynamoDeployments(Table(aws)).receive("d1", [request("a")])
    remembered = Table(aws).get("delivery#d1", "-")
    assert remembered is not None
    assert remembered["expires"] - time.time() == pytest.approx(30 * 86400, abs=60)


def test_of_contracts_those_of_releases_that_are_there_are_kept(aws: AWS) -> None:
    contracts = Contracts(Table(aws))
    for release in range(1, KEPT_RELEASES + 3):
        contracts.keep("one", release, {"tools": [release]})
    assert (contracts.of("one", 2), contracts.of("one", 3)) == (None, {"tools": [3]})
    contracts.forget("one")
    assert contracts.of("one", KEPT_RELEASES) is None
