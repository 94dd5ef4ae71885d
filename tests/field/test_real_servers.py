"""Runs a part of `make field`: real servers from PyPI and npm, each a kind of its own."""

from __future__ import annotations

import pytest

from tests.field.run import tried
from tests.field.servers import Server, listed

PART = {
    ("mcp-server-time", "package"),
    ("mcp-server-git", "folder"),
    ("mcp-server-sqlite", "package"),
    ("mysql-mcp-server", "folder"),
    ("wikipedia-mcp", "package"),
    ("awslabs-aws-documentation-mcp-server", "folder"),
    ("@modelcontextprotocol/server-memory", "package"),
}
CHOSEN = [server for server in listed() if (server.name, server.way) in PART]


def test_each_of_the_part_is_in_the_list() -> None:
    assert {(server.name, server.way) for server in CHOSEN} == PART


@pytest.mark.whole
@pytest.mark.parametrize("server", CHOSEN, ids=lambda server: f"{server.project}-{server.way}")
def test_a_real_server_is_served_as_it_is_by_hand(server: Server) -> None:
    assert tried(server) is True
