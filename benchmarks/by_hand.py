"""The peer without homeport: a fastmcp server started the way its documentation says, with the packages of a layer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .harness import QUIET, SERVERS, Deployed, free_port, process

RUN = """

if __name__ == "__main__":
    import sys

    mcp.run(transport="http", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
"""


def project(kind: str, into: Path, config: str = "") -> Path:
    """A copy of a fastmcp server that serves when it is run as a program; `config` is its fastmcp.toml."""
    shutil.copytree(SERVERS / kind, into, ignore=shutil.ignore_patterns("__pycache__"))
    with (into / "server.py").open("a") as file:
        file.write(RUN)
    (into / "fastmcp.toml").write_text(config)
    return into


def python_server(deployed: Deployed, port: int) -> list[str]:
    return [str(deployed.interpreter), "-S", "server.py", str(port)]


def fastmcp_run(deployed: Deployed, port: int) -> list[str]:
    command = "from fastmcp.cli import app; app()"
    options = ["run", "server.py", "--transport", "http", "--port", str(port)]
    return [str(deployed.interpreter), "-S", "-c", command, *options]


COMMANDS = {"python server.py": python_server, "fastmcp run server.py": fastmcp_run}


@contextmanager
def started(title: str, deployed: Deployed, folder: Path) -> Iterator[int]:
    """The port of a process that has just been started by the command `title`, and may not answer yet."""
    port = free_port()
    # So that the first request may be a call; it changes nothing about the start.
    environment = {**QUIET, "PYTHONPATH": str(deployed.layer), "FASTMCP_STATELESS_HTTP": "true"}
    with process(COMMANDS[title](deployed, port), folder, environment):
        yield port
