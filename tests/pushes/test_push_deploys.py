"""Tests that what the branch stands at decides, and `block_breaking` whether a breaking change fails a check."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from platform_cli.controlplane.sqlite_deployments import SQLiteDeployments
from platform_cli.controlplane.sqlite_links import SQLiteLinks, StoreVault
from platform_cli.controlplane.store import Store
from platform_cli.errors import RateLimitError
from platform_cli.github.commits import Commit
from platform_cli.github.repository import GitHub, Repository
from platform_cli.home import Home
from platform_cli.pushes.deployer import Deployed
from platform_cli.pushes.deployments import Deployment, DeploymentRequest
from platform_cli.pushes.links import Link
from platform_cli.pushes.poller import VARIABLE, Poller
from platform_cli.pushes.push_deploys import PushDeploys
from platform_cli.secrets.sqlite import SQLiteSecretStore

SHA, PULL = "a" * 40, "refs/pull/7/head"
BEFORE = {"tools": [{"name": "add"}]}


class Repositories:
    """Holds one repository, whose refs stand where `refs` says; its commits hold a server and `config`."""

    def __init__(self, refs: dict[str, str], config: str = "") -> None:
        self._refs = refs
        self._config = config

    def list_refs(self, *_: object) -> dict[str, str]:
        return self._refs

    def check_out(self, _repository: object, _token: str, sha: str, _folder: str, into: Path) -> tuple[Commit, Path]:
        (into / "server.py").write_text("from fastmcp import FastMCP\n\nmcp = FastMCP()\n")
        (into / "fastmcp.toml").write_text(self._config)
        return Commit(sha, "Mona", "a commit"), into


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[SQLiteLinks, SQLiteDeployments]]:
    store, secrets = Store(tmp_path / "store.db"), SQLiteSecretStore(Home(tmp_path))
    links = SQLiteLinks(store.db, StoreVault(secrets))
    github = GitHub("https://github.com", "https://api.github.com")
    repository = links.add_repository(Repository(github, "you/tools"), 12, "token")
    links.add(Link("one", repository, "main", "", previews=True))
    yield links, SQLiteDeployments(store.db)
    store.close()
    secrets.close()


def work(
    kept: tuple[SQLiteLinks, SQLiteDeployments], request: DeploymentRequest, source: Any, tmp_path: Path
) -> tuple[list[Deployment], list[str]]:
    """Returns what became of a push, and which projects were destroyed. What is deployed offers no tool."""
    links, deployments = kept
    destroyed: list[str] = []

    async def deploy(_project: str, read: Any, *_: object) -> Deployed:
        (tmp_path / "checkout").mkdir()
        read(tmp_path / "checkout")
        return Deployed(2, {"tools": []}, changed=True, note=None)

    async def destroy(project: str) -> None:
        destroyed.append(project)

    async def changed(_project: str) -> None:
        pass

    deployer: Any = SimpleNamespace(
        deploy=deploy, destroy=destroy, contract=lambda _project: BEFORE, share_secrets=lambda *_: None
    )
    deployments.add(request)
    asyncio.run(PushDeploys(links, deployments, deployer, source, changed).work(request.project))
    return deployments.of(request.project), destroyed


def test_a_branch_that_is_gone_ends_nothing(kept: tuple[SQLiteLinks, SQLiteDeployments], tmp_path: Path) -> None:
    found, destroyed = work(kept, DeploymentRequest("one", "one", SHA), Repositories({}), tmp_path)
    assert ([one.state for one in found], destroyed) == (["overtaken"], [])


def test_a_commit_is_not_tried_at_every_look(
    kept: tuple[SQLiteLinks, SQLiteDeployments], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "0.001")
    looks, woken = 0, list[str]()
    enough = asyncio.Event()

    async def refs(*_: object) -> dict[str, str]:
        nonlocal looks
        looks += 1
        if looks == 3:
            enough.set()
        return {"refs/heads/main": SHA}

    async def poll() -> None:
        polling = asyncio.create_task(Poller(*kept, refs, woken.append).run())
        await enough.wait()
        polling.cancel()

    asyncio.run(poll())
    assert woken == ["one"]


@pytest.mark.parametrize(("config", "blocked"), [("", False), ("[github]\nblock_breaking = true\n", True)])
def test_a_breaking_change_is_blocked_where_that_is_wanted(
    kept: tuple[SQLiteLinks, SQLiteDeployments], tmp_path: Path, config: str, blocked: bool
) -> None:
    source = Repositories({PULL: SHA}, config)
    (done,), _ = work(kept, DeploymentRequest("one-pr-7", "one", SHA, 7), source, tmp_path)
    assert (done.state, done.blocked, (done.difference or {})["removed"]) == ("live", blocked, ["add"])


def test_what_github_wants_to_be_asked_for_later_waits_again(
    kept: tuple[SQLiteLinks, SQLiteDeployments], tmp_path: Path
) -> None:
    class Busy(Repositories):
        def list_refs(self, *_: object) -> dict[str, str]:
            raise RateLimitError("GitHub's rate limit is reached")

    request = DeploymentRequest("one", "one", SHA)
    with pytest.raises(RateLimitError):
        work(kept, request, Busy({}), tmp_path)
    assert [(one.state, one.error) for one in kept[1].of("one")] == [("waiting", None)]
    found, _ = work(kept, request, Repositories({"refs/heads/main": SHA}), tmp_path)
    assert [one.state for one in found] == ["live"]
