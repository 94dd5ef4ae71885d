from __future__ import annotations

import pytest

from platform_cli.config.server_name import server_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ('mcp = FastMCP("A")', "A"),
        ('server = lowlevel.Server(name="A", on_list_tools=f)', "A"),
        ('def make():\n    return MCPServer("A")', "A"),
        ('a = FastMCP("A")\nb = FastMCP("A")', "A"),
        ('a = FastMCP("A")\nb = FastMCP("B")', None),
        ("mcp = FastMCP(NAME)", None),
        ("mcp = FastMCP()", None),
        ('mcp = Other("A")', None),
        ("", None),
    ],
)
def test_the_name_in_the_source(source: str, name: str | None) -> None:
    assert server_name(source.encode()) == name
