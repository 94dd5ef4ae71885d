"""Runs one platform for the whole end-to-end run: every deployment and every client run is made once and shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.clients import environments
from tests.clients.matrix import GREETING, client_env
from tests.support import SERVERS, Deployment, Platform, with_config, with_packages

Deploy = Callable[..., Deployment]
Observe = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Runs the platform; the stdio server in JavaScript wants a node, so the one that the clients use is on
    its PATH.
    """
    home = with_packages(tmp_path_factory.mktemp("home"), "fastmcp4", "fastmcp3", "fastmcp2", "mcp1_lowlevel")
    running = Platform(home, path=_node_path())
    yield running
    running.stop()


@pytest.fixture(scope="session")
def deploy(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Deploy:
    """Returns `deploy(kind, config="")`, which deploys the server folder of that kind, its own files or with `config`
    added to its toml.
    """

    @cache
    def deployed(kind: str, config: str = "") -> Deployment:
        folder = SERVERS / kind
        name = kind.replace("_", "-")
        if config:
            folder = with_config(folder, config, tmp_path_factory.mktemp(kind))
            name = f"{name}-variant"
        before = _files(folder)
        deployment = platform.deploy(folder, name=name, env={"GREETING": GREETING})
        assert _files(folder) == before, "a deploy leaves the project folder as it was"
        return deployment

    return deployed


@pytest.fixture(scope="session")
def observe(deploy: Deploy) -> Iterator[Observe]:
    """Returns `observe(client, kind, config="")`, which returns what the client saw of that deployment, in each of its
    cases.
    """
    clients = environments.Clients()

    @cache
    def observed(client: str, kind: str, config: str = "") -> dict[str, dict[str, Any]]:
        deployment = deploy(kind, config)
        return clients.observe(client, deployment.mcp_url, deployment.sse_url)

    def required(client: str, kind: str, config: str = "") -> dict[str, dict[str, Any]]:
        client_env(client)
        if kind == "stdio_node":
            client_env("node")
        return observed(client, kind, config)

    yield required
    clients.close()


def _node_path() -> list[Path]:
    try:
        return [environments.node().program.parent]
    except environments.UnavailableError:
        return []


def _files(folder: Path) -> list[Path]:
    # Another process of the tests may run the same server where it is.
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
