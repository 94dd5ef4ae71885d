"""Tests functions, deployed, with clients that we did not write, over /mcp and /sse at their URL.

An instance takes one event at a time, as on Lambda. So the stream of an HTTP+SSE session is never where its messages
are posted. `make matrix-lambda` runs every pair of kind and client, `make test` and `make test-all` some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.aws.control_plane import ControlPlane
from tests.aws.function_url import FunctionURL
from tests.aws.sandbox import machine
from tests.clients import environments
from tests.clients.matrix import GREETING, LEGACY, MODERN, check, check_protocol, client_env, pairs, params
from tests.support import SERVERS, Platform, with_config

KINDS = [kind for kind in (*MODERN, *LEGACY) if not kind.startswith("stdio_")]
# Every SDK's client once: LangChain's adapters go through mcp1's, the Inspector through TypeScript's.
SOME = [
    ("fastmcp4", "fastmcp"),
    ("fastmcp4", "mcp2"),
    ("fastmcp4", "ts_client"),
    ("fastmcp4", "ts_sdk"),
    ("mcp1_lowlevel", "mcp1"),
]
# One kind of each SDK.
MORE = [("mcp2_mcpserver", "mcp2"), ("asgi", "ts_sdk")]
OTHERS = [pair for pair in pairs(KINDS) if pair not in (*SOME, *MORE)]
CONFIG = f"""
[auth]
mode = "none"
[deployment.lambda]
architecture = "{machine()}"
"""

Observe = Callable[[str, str], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def observe(laptop: Platform, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observe]:
    """Returns `observe(client, kind)`, which returns what the client saw of that function, in each of its cases."""
    running: dict[str, FunctionURL] = {}
    clients = environments.Clients()

    def deployed(kind: str) -> FunctionURL:
        folder = tmp_path_factory.mktemp(kind)
        name = f"clients-{kind.replace('_', '-')}"
        laptop.deploy(with_config(SERVERS / kind, CONFIG, folder), name=name, env={"GREETING": GREETING})
        shared = folder / "shared"
        shared.mkdir()
        front = FunctionURL(replace(plane.function(f"homeport-{name}", "live").function, shared=shared), folder)
        front.spread = 2
        return front

    @cache
    def observed(client: str, kind: str) -> dict[str, dict[str, Any]]:
        client_env(client)
        if kind not in running:
            running[kind] = deployed(kind)
        url = running[kind].url
        return clients.observe(client, f"{url}/mcp", f"{url}/sse")

    yield observed
    clients.close()
    for front in running.values():
        front.close()


@pytest.mark.parametrize(
    ("kind", "client", "case"),
    [*params(SOME), *params(MORE, pytest.mark.whole), *params(OTHERS, pytest.mark.matrix)],
)
def test_client_uses_a_function(observe: Observe, kind: str, client: str, case: str) -> None:
    seen = observe(client, kind)[case]
    check(seen, client)
    check_protocol(seen, kind, client, case)
