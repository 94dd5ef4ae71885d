"""Tests that unlinking a repository ends its previews."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from platform_cli.controlplane.sqlite_deployments import SQLiteDeployments
from platform_cli.controlplane.sqlite_links import SQLiteLinks, StoreVault
from platform_cli.controlplane.store import Store
from platform_cli.github.repository import GitHub, Repository
from platform_cli.home import Home
from platform_cli.pushes.deployments import DeploymentRequest
from platform_cli.pushes.linking import Linking
from platform_cli.pushes.links import Link
from platform_cli.secrets.sqlite import SQLiteSecretStore


def test_previews_end_with_the_link(tmp_path: Path) -> None:
    store, secrets = Store(tmp_path / "store.db"), SQLiteSecretStore(Home(tmp_path))
    links, deployments = SQLiteLinks(store.db, StoreVault(secrets)), SQLiteDeployments(store.db)
    github = GitHub("https://github.com", "https://api.github.com")
    repository = links.add_repository(Repository(github, "you/tools"), 12, "token")
    links.add(Link("one", repository, "main", "", previews=True))
    deployments.add(DeploymentRequest("one", "one", "a" * 40))
    deployments.add(DeploymentRequest("one-pr-7", "one", "b" * 40, 7))
    woken: list[str] = []
    nothing = cast("Any", None)
    linking = Linking(links, deployments, nothing, nothing, woken.append)
    assert asyncio.run(linking.unlink("one")) is None
    newest = deployments.newest("one-pr-7")
    assert newest is not None
    assert (newest.sha, newest.pull, woken) == (None, 7, ["one-pr-7"])
    assert [one.sha for one in deployments.of("one")] == ["a" * 40], "what serves goes on"
    assert (links.all(), links.repositories()) == ([], [])
    store.close()
    secrets.close()
