"""Tests a server that only one process can be, and one that has nothing to offer."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.field.conftest import Deploy, Refuse
from tests.support import Platform

LOCKED = """
    import fcntl

    from mcp.server import MCPServer

    file = open("sales.lock", "w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    mcp = MCPServer("locked")
    mcp.tool(name="release")(lambda: "{release}")

    if __name__ == "__main__":
        mcp.run()
"""
PORT = """
    import socket

    from mcp.server import MCPServer

    listener = socket.create_server(("127.0.0.1", {port}))
    mcp = MCPServer("port")
    mcp.tool(name="release")(lambda: "{release}")

    if __name__ == "__main__":
        mcp.run()
"""


def test_a_server_with_an_exclusive_lock_is_deployed_again_while_it_is_in_use(deploy: Deploy) -> None:
    assert deploy({"server.py": LOCKED.replace("{release}", "first")}).call("release") == "first"
    assert deploy({"server.py": LOCKED.replace("{release}", "second")}).call("release") == "second"


def test_a_server_with_a_fixed_port_says_stop_first(deploy: Deploy, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = PORT.replace("{port}", str(free.getsockname()[1]))
    config = '[deployment]\nentrypoint = "server.py"\nreplace = "stop-first"\n'
    for release in ("first", "second"):
        files = {"server.py": server.replace("{release}", release), "fastmcp.toml": config}
        assert deploy(files).call("release") == release


def test_a_server_that_offers_nothing_is_no_success(refuse: Refuse) -> None:
    error = refuse({"server.py": 'from mcp.server import MCPServer\n\nmcp = MCPServer("empty")\nmcp.run()\n'})
    assert error.code == 1
    assert "no tools" in str(error).lower() or "nothing" in str(error).lower()


def test_a_list_that_needs_a_database_stops_no_deploy(deploy: Deploy) -> None:
    server = """
        import os

        import mcp_types as types
        from mcp.server import Server

        SHAPE = {"type": "object", "properties": {}}


        async def list_tools(ctx, params):
            return types.ListToolsResult(tools=[types.Tool(name="query", input_schema=SHAPE)])


        async def list_resources(ctx, params):
            raise ConnectionError(f"no database at {os.environ['DATABASE_URL']}")


        server = Server("tables", on_list_tools=list_tools, on_list_resources=list_resources)
    """
    assert deploy({"server.py": server}).tools() == ["query"]


def test_env_stays_behind_and_the_deploy_says_so(platform: Platform, deploy: Deploy, tmp_path: Path) -> None:
    server = """
        import os

        from mcp.server import MCPServer

        mcp = MCPServer("weather")
        mcp.tool(name="key")(lambda: os.environ["WEATHER_KEY"])
    """
    files = {"server.py": server, ".env": "WEATHER_KEY=wk-0123456789\n", ".gitignore": ".env\n"}
    deploy(files)
    folder = tmp_path / "project"
    done = platform.start("deploy", str(folder), "--name", "said").wait(120)
    assert "WEATHER_KEY" in done.stdout + done.stderr or ".env" in done.stdout + done.stderr
    assert "wk-0123456789" not in done.stdout + done.stderr
    served = deploy(files, "--env-file", str(folder / ".env"))
    assert served.call("key") == "wk-0123456789"
    platform.run("destroy", "said")
