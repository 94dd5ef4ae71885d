"""Deploys a small server with each SDK version, and compares it with the same server by hand: `make sdk-matrix`.

    python -m tests.field.sdk_matrix                    every version of sdk_versions.py
    python -m tests.field.sdk_matrix fastmcp==2.12      those that begin so

Prints one line a version. Exit code 0: every version that runs by hand is served as it is by hand.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import tempfile
from pathlib import Path

import uv

from tests.clients import environments
from tests.support import CommandFailedError, Platform

from .deployed import DEPLOY_S, NotDeployedError, compared, live
from .listing import NotListedError, Tools, over_stdio
from .sdk_versions import RELEASED, TODAY

SERVER = """\
from {module} import {name}

mcp = {name}("versions")


@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b


if __name__ == "__main__":
    mcp.run()
"""
# Before mcp 1.2 there is no FastMCP in it.
LOWLEVEL = """\
import asyncio

from mcp import types
from mcp.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.stdio import stdio_server

server = Server("versions")
NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}


@server.list_tools()
async def list_tools():
    return [types.Tool(name="add", inputSchema=NUMBERS)]


@server.call_tool()
async def call_tool(name, arguments):
    return [types.TextContent(type="text", text=str(arguments["a"] + arguments["b"]))]


async def main():
    options = InitializationOptions(
        server_name="versions",
        server_version="1",
        capabilities=server.get_capabilities(NotificationOptions(), {}),
    )
    async with stdio_server() as (read, write):
        await server.run(read, write, options)


if __name__ == "__main__":
    asyncio.run(main())
"""
ROW = "{:<18} {:<8} {:<7}  {}"


def main() -> int:
    chosen = [version for version in (*RELEASED, *TODAY) if version.startswith(tuple(sys.argv[1:] or [""]))]
    print(ROW.format("version", "by hand", "served", "reason"))
    with tempfile.TemporaryDirectory(prefix="homeport-matrix-") as folder:
        platform = Platform(Path(folder) / "home", timeout_s=DEPLOY_S)
        try:
            failed = [version for version in chosen if not tried(platform, version, Path(folder))]
        finally:
            platform.stop()
    print(f"{len(chosen) - len(failed)} of {len(chosen)} hold")
    return 1 if failed else 0


def tried(platform: Platform, version: str, folder: Path) -> bool:
    """Tells whether the server is served as by hand, or does not run by hand either, and prints its line."""
    try:
        made = project(version)
    except (NotListedError, environments.UnavailableError) as error:
        print(ROW.format(version, "no", "", _line(str(error))), flush=True)
        return True
    reason = difference(platform, made)
    print(ROW.format(version, "yes", "no" if reason else "yes", _line(reason)).rstrip(), flush=True)
    return not reason


def project(version: str) -> Path:
    """Writes the folder of a server with that SDK, its requirements as of the day of that version, listed by hand.

    Raises NotListedError and environments.UnavailableError when it does not run by hand.
    """
    source = server(version)
    day = released(version)
    # A released version stays what it is; what is newest does not.
    kept = [version, source] if version in RELEASED else [version, source, str(day)]
    return environments.made(kept, lambda folder: _fill(folder, version, source, day))


def released(version: str) -> datetime.date:
    """Returns the day on which it came, today for a name without a version."""
    return datetime.date.fromisoformat(RELEASED[version]) if version in RELEASED else datetime.date.today()


def server(version: str) -> str:
    """Returns the server's file in the words of that SDK's generation."""
    package, _, number = version.partition("==")
    if package == "fastmcp":
        return SERVER.format(module="fastmcp", name="FastMCP")
    if number.startswith(("1.0.", "1.1.")):
        return LOWLEVEL
    if number.startswith("1."):
        return SERVER.format(module="mcp.server.fastmcp", name="FastMCP")
    return SERVER.format(module="mcp.server", name="MCPServer")


def difference(platform: Platform, folder: Path) -> str:
    """Returns how the deployed server differs from the one by hand, in words; empty if it does not."""
    name = f"sdk-{folder.name}"
    tools: Tools = json.loads((folder / "listed.json").read_text())
    try:
        with live(platform, name, str(folder / "project")) as deployment:
            if deployment.gaps:
                return "; ".join(deployment.gaps)
            seen = compared(deployment, tools)
            if seen.holds:
                answer = platform.run("call", name, "add", "a=2", "b=3")
                return "" if answer["content"][0]["text"] == "5" else f"add(2, 3) answers {answer}"
            return seen.reason
    except (NotDeployedError, CommandFailedError) as error:
        return str(error)


def _fill(folder: Path, version: str, source: str, day: datetime.date) -> None:
    home = folder / "project"
    home.mkdir()
    (home / "server.py").write_text(source)
    program = uv.find_uv_bin()
    # The whole day counts, since releases of one afternoon belong together.
    until = str(day + datetime.timedelta(days=1))
    (folder / "wanted.in").write_text(version)
    newest = () if version in RELEASED else ("--prerelease", "allow")
    options = ["--quiet", "--exclude-newer", until, *newest, "--python", sys.executable, "--no-annotate", "--no-header"]
    requirements = home / "requirements.txt"
    environments.install([program, "pip", "compile", *options, "--output-file", requirements, folder / "wanted.in"])
    environments.install([program, "venv", "--quiet", "--python", sys.executable, folder / "env"])
    environments.install([program, "pip", "install", "--quiet", "--python", folder / "env", "-r", requirements])
    tools = over_stdio([folder / "env" / "bin" / "python", "server.py"], cwd=home, env=os.environ)
    (folder / "listed.json").write_text(json.dumps(tools))


def _line(reason: str) -> str:
    return " ".join(reason.split())[:300]


if __name__ == "__main__":
    sys.exit(main())
