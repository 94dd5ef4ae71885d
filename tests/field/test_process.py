"""Tests that a worker is the process that a person would start: its time, environment, programs and folders."""

from __future__ import annotations

from tests.field.conftest import Deploy

SERVER = """
    import os
    import subprocess
    import sys
    import time
    from pathlib import Path

    from mcp.server import MCPServer

    mcp = MCPServer("process")


    @mcp.tool()
    def zone() -> str:
        return time.strftime("%z")


    @mcp.tool()
    def says(command: str) -> str:
        done = subprocess.run(command, shell=True, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()


    @mcp.tool()
    def module(name: str) -> str:
        done = subprocess.run([sys.executable, "-m", name, "--version"], capture_output=True, text=True)
        return (done.stdout + done.stderr).strip()


    @mcp.tool()
    def home() -> str:
        return str(Path("~").expanduser())


    if __name__ == "__main__":
        mcp.run()
"""


def test_the_time_zone_is_the_environments(deploy: Deploy) -> None:
    assert deploy({"server.py": SERVER}, "--env", "TZ=Asia/Tokyo").call("zone") == "+0900"


def test_programs_of_packages_run(deploy: Deploy) -> None:
    """uvicorn is a package of the layer, with a console script and a __main__."""
    served = deploy({"server.py": SERVER})
    assert served.call("says", command="uvicorn --version").startswith("Running uvicorn")
    assert served.call("module", name="uvicorn").startswith("Running uvicorn")


def test_a_server_has_a_home(deploy: Deploy) -> None:
    assert deploy({"server.py": SERVER}).call("home").startswith("/")


def test_what_is_read_at_import_is_there_at_import(deploy: Deploy) -> None:
    """A package of the layer that has read its variable when the zygote imported it has it in the worker."""
    server = """
        from mcp.server import MCPServer
        from starlette.config import environ

        import anyio._core._eventloop  # noqa: F401

        mcp = MCPServer("variables")


        @mcp.tool()
        def read() -> str:
            return environ.get("CACHE_FOLDER", "unset")


        if __name__ == "__main__":
            mcp.run()
    """
    assert deploy({"server.py": server}, "--env", "CACHE_FOLDER=here").call("read") == "here"


def test_a_file_in_a_package_finds_its_siblings_as_a_script_does(deploy: Deploy) -> None:
    files = {
        "src/notes/__init__.py": "",
        "src/notes/vault.py": 'NOTE = "kept"\n',
        "src/notes/server.py": """
            from mcp.server import MCPServer

            import vault

            mcp = MCPServer("notes")
            mcp.tool(name="note")(lambda: vault.NOTE)

            if __name__ == "__main__":
                mcp.run()
        """,
        "fastmcp.toml": '[deployment]\nentrypoint = "src/notes/server.py"\n',
    }
    assert deploy(files).call("note") == "kept"
