"""Tests servers in containers with clients that we did not write, over /mcp and /sse: in those of Docker and podman
without a network, by published ports, and with `docker run -p` of an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.clients import environments
from tests.clients.matrix import GREETING, check, check_protocol, client_env, params
from tests.e2e.probing import wait_for
from tests.images.registries import registry
from tests.support import SERVERS, Platform, with_config

from .desktop import desktop
from .engines import engine, podman, push_base

pytestmark = pytest.mark.whole

# Every SDK's client once: LangChain's adapters go through mcp1's, the Inspector through TypeScript's.
ALL = [
    ("fastmcp4", "fastmcp"),
    ("fastmcp4", "mcp2"),
    ("fastmcp4", "ts_client"),
    ("fastmcp4", "ts_sdk"),
    ("mcp1_lowlevel", "mcp1"),
]
SOME = [("fastmcp4", "mcp2"), ("fastmcp4", "ts_client")]
PLACES = {"docker": ALL, "podman": ALL, "published ports": SOME, "docker run": ALL}
CONFIG = """
[auth]
mode = "none"
[deployment.container]
base = "{base}"
{network}
"""
NO_NETWORK = 'network = "none"'

Observe = Callable[[str, str], dict[str, dict[str, Any]]]
# Deploys a kind of server, and returns its URL.
Deploy = Callable[[str], str]


@contextmanager
def in_containers(address: str, folder: Path, network: str = NO_NETWORK) -> Iterator[Deploy]:
    """Runs a platform over the engine at `address`."""
    (folder / "registry").mkdir(parents=True)
    with registry(folder / "registry") as images:
        base = push_base(images.address, folder / "base")
        platform = Platform(folder / "home")
        platform.environment["DOCKER_HOST"] = address

        def deployed(kind: str) -> str:
            config = CONFIG.format(base=base, network=network)
            project = with_config(SERVERS / kind, config, folder)
            name = kind.replace("_", "-")
            given = ("--name", name, "--env", f"GREETING={GREETING}", "--target", "container")
            answer = platform.run("deploy", str(project), *given)
            return str(answer["url"])

        yield deployed
        platform.stop()


@contextmanager
def by_hand(address: str, folder: Path) -> Iterator[Deploy]:
    """Runs images with `docker run -p`, as somebody does who has no homeport there."""
    from tests.images.test_engine import Docker

    docker = Docker(address)
    (folder / "registry").mkdir(parents=True)
    with registry(folder / "registry") as images:
        base = push_base(images.address, folder / "base")

        def deployed(kind: str) -> str:
            project = with_config(SERVERS / kind, CONFIG.format(base=base, network=""), folder)
            Platform(folder / "home").run("image", str(project), "--output", str(folder / f"{kind}-image"))
            image = docker.load(folder / f"{kind}-image", folder / f"{kind}.tar")
            # What `docker run` does in one command, which waits for an answer that never ends.
            container = docker("create", "--publish", "127.0.0.1::8000", "--env", f"GREETING={GREETING}", image)
            docker("start", container)
            wait_for(lambda: docker.state(container, "Health.Status") == "healthy")
            return f"http://{docker('port', container, '8000').splitlines()[0]}"

        yield deployed


@pytest.fixture(scope="module")
def observe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Observe]]:
    """Returns what gives, for a place, `observe(client, kind)`, which returns what the client saw in each of its
    cases.
    """
    clients = environments.Clients()
    with ExitStack() as opened:

        @cache
        def place(name: str) -> Deploy:
            folder, data = (tmp_path_factory.mktemp(name.replace(" ", "-")) for name in (name, "engine"))
            match name:
                case "docker":
                    return opened.enter_context(in_containers(opened.enter_context(engine(data)), folder))
                case "podman":
                    return opened.enter_context(in_containers(opened.enter_context(podman(data)), folder))
                case "published ports":
                    address = opened.enter_context(desktop(data, passes_data=False))
                    return opened.enter_context(in_containers(address, folder, network=""))
                case _:
                    address = opened.enter_context(desktop(data, passes_data=False))
                    return opened.enter_context(by_hand(address, folder))

        @cache
        def url_of(name: str, kind: str) -> str:
            return place(name)(kind)

        @cache
        def observed(name: str, client: str, kind: str) -> dict[str, dict[str, Any]]:
            client_env(client)
            url = url_of(name, kind)
            return clients.observe(client, f"{url}/mcp", f"{url}/sse")

        yield lambda name: lambda client, kind: observed(name, client, kind)
        clients.close()


@pytest.mark.parametrize(
    ("place", "kind", "client", "case"),
    [
        pytest.param(place, *each.values, id=f"{place.replace(' ', '-')}-{each.id}")
        for place, pairs in PLACES.items()
        for each in params(pairs)
    ],
)
def test_client_uses_a_container(
    observe: Callable[[str], Observe], place: str, kind: str, client: str, case: str
) -> None:
    seen = observe(place)(client, kind)[case]
    check(seen, client)
    check_protocol(seen, kind, client, case)
