"""Clients that we did not write use an image's server over /mcp and /sse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.environments import Clients
from tests.clients.matrix import CASES, GREETING, check, client_env

from ...conftest import DEADLINE_S, python_with
from ...workers import REQUIREMENTS, kind_source
from .images import Container, make_image, serving, start

KIND = "fastmcp4"


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    python = python_with(REQUIREMENTS[KIND])
    root = make_image(tmp_path_factory.mktemp("image"), kind_source(KIND), python)
    container = serving(start(root, python, GREETING=GREETING))
    yield container
    assert container.end() == 0
    container.process.wait(DEADLINE_S)


@pytest.mark.parametrize("client", ["mcp2", "fastmcp"])
def test_a_client_uses_it(container: Container, client: str) -> None:
    client_env(client)
    clients = Clients()
    try:
        seen = clients.observe(client, f"{container.url}/mcp", f"{container.url}/sse")
    finally:
        clients.close()
    for case in CASES[client]:
        check(seen[case], client)
