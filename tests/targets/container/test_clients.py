"""Tests servers in containers with clients that we did not write, over /mcp and /sse: in those of Docker and podman
without a network, by published ports, with `docker run -p` of an image, and in pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest

from tests.clients import environments
from tests.clients.matrix import GREETING, check, check_protocol, client_env, params
from tests.e2e.probing import wait_for
from tests.images.test_engine import Docker
from tests.leftovers import remove
from tests.support import SERVERS, with_config, with_packages

from .conftest import Site, site_in
from .desktop import desktop
from .engines import engine, podman
from .pods import pods

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
PLACES = {"docker": ALL, "podman": ALL, "published ports": SOME, "docker run": ALL, "pods": ALL}
KINDS = ("fastmcp4", "mcp1_lowlevel")
CONFIG = f"""
[environment]
GREETING = "{GREETING}"
[auth]
mode = "none"
[deployment.container]
base = "{{base}}"
{{network}}
"""
NO_NETWORK = 'network = "none"'

# Deploys a kind of server, and returns its URL.
Deploy = Callable[[str], str]
# Returns what a client saw of a kind of server in a place, in each of its cases.
Observe = Callable[[str, str, str], dict[str, dict[str, Any]]]


def project(site: Site, kind: str, folder: Path, network: str = "") -> Path:
    return with_config(SERVERS / kind, CONFIG.format(base=site.base, network=network), folder)


@contextmanager
def in_containers(address: str, site: Site, folder: Path, network: str = NO_NETWORK) -> Iterator[Deploy]:
    """Runs a platform over the engine at `address`."""
    platform = site.platform
    platform.environment["DOCKER_HOST"] = address
    names = []

    def deployed(kind: str) -> str:
        given = ("--name", name := kind.replace("_", "-"), "--target", "container")
        answer = platform.run("deploy", str(project(site, kind, folder, network)), *given)
        names.append(name)
        return str(answer["url"])

    try:
        yield deployed
        for name in names:
            platform.run("destroy", name, "--yes")
    finally:
        platform.stop()


@contextmanager
def by_hand(address: str, site: Site, folder: Path) -> Iterator[Deploy]:
    """Runs images with `docker run -p`, as somebody does who has no homeport there."""
    docker = Docker(address)

    def deployed(kind: str) -> str:
        layout = folder / f"{kind}-image"
        site.platform.run("image", str(project(site, kind, folder)), "--output", str(layout))
        image = docker.load(layout, folder / f"{kind}.tar")
        # What `docker run` does in one command, which waits for an answer that never ends.
        container = docker("create", "--publish", "127.0.0.1::8000", image)
        docker("start", container)
        wait_for(lambda: docker.state(container, "Health.Status") == "healthy")
        return f"http://{docker('port', container, '8000').splitlines()[0]}"

    yield deployed


@contextmanager
def in_pods(site: Site, folder: Path) -> Iterator[Deploy]:
    """Runs pods of podman's, which plays what is exported for Kubernetes."""
    images = site.base.partition("/")[0]
    with pods(folder, site.platform) as running:

        def deployed(kind: str) -> str:
            return running.play(project(site, kind, folder), kind.replace("_", "-"), f"{images}/you/{kind}:1")

        yield deployed


@contextmanager
def place(name: str, site: Site) -> Iterator[Deploy]:
    """Runs what PLACES names."""
    with ExitStack() as opened:
        (folder := site.platform.home.parent / "place").mkdir()
        opened.callback(remove, folder)
        match name:
            case "docker":
                running = in_containers(opened.enter_context(engine(folder)), site, folder)
            case "podman":
                running = in_containers(opened.enter_context(podman(folder)).address, site, folder)
            case "published ports":
                address = opened.enter_context(desktop(folder, passes_data=False))
                running = in_containers(address, site, folder, network="")
            case "docker run":
                running = by_hand(opened.enter_context(desktop(folder, passes_data=False)), site, folder)
            case _:
                running = in_pods(site, folder)
        yield opened.enter_context(running)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with site_in(folder, with_packages(folder / "home", *KINDS)) as running:
        yield running


@pytest.fixture(scope="module")
def observe(site: Site) -> Iterator[Observe]:
    clients = environments.Clients()
    with ExitStack() as opened:

        @lru_cache(maxsize=1)
        def deploy_in(name: str) -> Deploy:
            # The tests of a place follow each other: it is done when those of another begin.
            opened.close()
            return opened.enter_context(place(name, site))

        @cache
        def url_of(name: str, kind: str) -> str:
            return deploy_in(name)(kind)

        @cache
        def observed(name: str, kind: str, client: str) -> dict[str, dict[str, Any]]:
            client_env(client)
            url = url_of(name, kind)
            return clients.observe(client, f"{url}/mcp", f"{url}/sse")

        yield observed
        clients.close()


@pytest.mark.parametrize(
    ("place", "kind", "client", "case"),
    [
        pytest.param(place, *each.values, id=f"{place.replace(' ', '-')}-{each.id}")
        for place, pairs in PLACES.items()
        for each in params(pairs)
    ],
)
def test_client_uses_a_container(observe: Observe, place: str, kind: str, client: str, case: str) -> None:
    seen = observe(place, kind, client)[case]
    check(seen, client)
    check_protocol(seen, kind, client, case)
