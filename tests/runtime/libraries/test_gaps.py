"""Tests that parts which a newer SDK no longer has are noticed when the server is inspected."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from homeport_runtime.libraries import gaps
from homeport_runtime.takeover import transports

from ..conftest import python_with
from ..workers import MCP2, Workers

TOOL = "\n@mcp.tool()\ndef one() -> int:\n    return 1\n"


@pytest.fixture
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    started = Workers(lambda: tmp_path_factory.mktemp("worker"))
    yield started
    started.close()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(gaps, "_FOUND", {})
    return lambda: [(gap.library, gap.part) for gap in gaps.recorded_gaps()]


def found(workers: Workers, source: str) -> list[str]:
    answer = workers.start(source, python_with("mcp>=2"), mode="inspect").expect("inspected")
    return [gap["part"] for gap in answer["libraries"]["gaps"]]


def test_a_server_of_a_known_sdk_has_none(workers: Workers) -> None:
    assert found(workers, MCP2 + TOOL + "mcp.run()\n") == []


def test_a_fastmcp_that_serves_by_mcp_has_none(workers: Workers) -> None:
    source = "from fastmcp import FastMCP\nmcp = FastMCP('x')\n" + TOOL + "mcp.run()\n"
    answer = workers.start(source, python_with("fastmcp<1"), mode="inspect").expect("inspected")
    assert answer["libraries"]["gaps"] == []


def test_a_boundary_that_is_not_found(workers: Workers) -> None:
    moved = "from mcp.server import request_state\nrequest_state.RequestStateBoundary = type('Moved', (), {})\n"
    assert found(workers, MCP2 + TOOL + moved + "mcp.run()\n") == ["the boundary that seals requestState"]


def test_a_check_of_hosts_that_is_not_left_to_the_guard(workers: Workers) -> None:
    source = """
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.responses import Response

async def check(self, request, is_post=False):
    if request.headers["host"] != "127.0.0.1:80":
        return Response("Invalid Host header", status_code=421)

TransportSecurityMiddleware.validate_request = check
app = mcp.streamable_http_app()
"""
    assert found(workers, MCP2 + TOOL + source) == ["the check of Host headers"]


@pytest.mark.parametrize(
    ("patch", "library", "part"),
    [
        (transports._patch_fastmcp, "fastmcp", "class.run_stdio_async"),
        (transports._patch_fastmcp1, "mcp", "class.run_stdio_async"),
        (transports._patch_mcpserver2, "mcp", "class.run_streamable_http_async"),
        (transports._patch_stdio, "mcp", "stdio_server of mcp.server.stdio"),
        (transports._patch_uvicorn, "uvicorn", "Server of uvicorn.server"),
        (transports._patch_hypercorn, "hypercorn", "class.serve"),
    ],
)
def test_a_transport_that_is_not_found(recorded: Any, patch: Any, library: str, part: str) -> None:
    patch(SimpleNamespace())
    assert (library, part) in recorded()


def test_a_module_that_is_not_found(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "PLACES", {"json": (("json.decoder",), ("json.moved", "json.gone.too"))})
    transports.check_places()
    assert recorded() == [("json", "json.moved")]
