"""Runs a server as a person does: installed in an environment of its own, started, and its tools listed.

What is installed, and what was listed, is kept in the tests' cache folder (tests/clients/environments.py).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uv

from platform_cli.errors import InputError
from platform_cli.pipeline.interpreter import find_interpreter
from tests.clients import environments

from .listing import NotListedError, Tools, over_http, over_stdio
from .servers import Server

STARTS_S = 60.0


@dataclass(frozen=True, slots=True)
class ByHand:
    """Holds what a server offers by hand: `sdk` names the versions that it is built with; `source` is the project
    folder as published, if it was wanted.
    """

    tools: Tools
    sdk: str
    source: Path


def by_hand(server: Server) -> ByHand:
    """Raises NotListedError and environments.UnavailableError when it does not run, also by hand."""
    folder = environments.made([repr(server)], lambda folder: _fill(folder, server))
    listed = json.loads((folder / "listed.json").read_text())
    return ByHand(listed["tools"], listed["sdk"], folder / "source")


def _fill(folder: Path, server: Server) -> None:
    INSTALL[server.registry, server.way](folder, server)
    (folder / "work").mkdir()
    tools = _listed(folder, server)
    listed = {"tools": tools, "sdk": (_python_sdk if server.registry == "pypi" else _node_sdk)(folder)}
    (folder / "listed.json").write_text(json.dumps(listed))


def _listed(folder: Path, server: Server) -> Tools:
    command = [*_program(folder, server), *server.args]
    if not server.url:
        return over_stdio(command, cwd=folder / "work", env=_environment(folder, server))
    with _listening(command, folder, server):
        return over_http(server.url)


def _program(folder: Path, server: Server) -> list[str | Path]:
    if server.registry == "npm":
        return [folder / "node_modules" / ".bin" / server.program[0]]
    program, *rest = server.program
    return [folder / "env" / "bin" / program, *rest]


def _environment(folder: Path, server: Server) -> Mapping[str, str]:
    programs = [folder / "env" / "bin", environments.node().program.parent]
    path = os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, **server.env}


@contextmanager
def _listening(command: list[str | Path], folder: Path, server: Server) -> Iterator[None]:
    """Runs the server, and yields once it has its port open. Raises NotListedError."""
    address = urlsplit(server.url)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder / "work", env=_environment(folder, server), stdout=log, stderr=log, process_group=0
        )
    deadline = time.monotonic() + STARTS_S
    try:
        while not _answers(address.hostname or "", address.port or 80):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotListedError(f"it does not listen: {(folder / 'log').read_text()[-400:]}")
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def _answers(host: str, port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex((host, port)) == 0


def _install_package(folder: Path, server: Server) -> None:
    _uv_pip(folder, server, server.requirement)


def _install_folder(folder: Path, server: Server) -> None:
    """As its lock file says, if one was published."""
    _unpack(folder, server)
    # A build leaves files in the folder that it is run in.
    project = shutil.copytree(folder / "source", folder / "project")
    if (project / "uv.lock").exists():
        environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder / "env")}
        options = ("--frozen", "--no-dev", "--python", sys.executable, "--project", project)
        environments.install([uv.find_uv_bin(), "sync", *options], env=environment)
    else:
        _uv_pip(folder, server, str(project))


def _unpack(folder: Path, server: Server) -> None:
    options = ("--no-deps", "--no-binary", server.name, "--dest", folder)
    environments.install([sys.executable, "-m", "pip", "download", "--quiet", *options, server.requirement])
    archive = next(folder.glob("*.tar.gz"))
    with tarfile.open(archive) as opened:
        opened.extractall(folder / "unpacked", filter="data")
    next((folder / "unpacked").iterdir()).rename(folder / "source")


def _uv_pip(folder: Path, server: Server, package: str) -> None:
    """Installs with a Python that suits the package, as uvx does."""
    program = uv.find_uv_bin()
    try:
        python = find_interpreter(server.python, folder).path
    except InputError as error:
        raise environments.UnavailableError(error.message) from error
    environments.install([program, "venv", "--quiet", "--python", python, folder / "env"])
    environments.install([program, "pip", "install", "--quiet", "--python", folder / "env", package, *server.bounds])


def _install_npm(folder: Path, server: Server) -> None:
    node = environments.node().program.parent
    path = f"{node}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder)
    environments.install([node / "npm", "install", *quiet, server.requirement], env={**os.environ, "PATH": path})


INSTALL: Mapping[tuple[str, str], Callable[[Path, Server], None]] = {
    ("pypi", "package"): _install_package,
    ("pypi", "program"): _install_package,
    ("pypi", "folder"): _install_folder,
    ("npm", "package"): _install_npm,
}


def _python_sdk(folder: Path) -> str:
    packages = (folder / "env").glob("lib/python*/site-packages/*.dist-info")
    versions = dict(path.stem.split("-", 1) for path in packages)
    return " ".join(f"{name} {versions[name]}" for name in ("mcp", "fastmcp") if name in versions)


def _node_sdk(folder: Path) -> str:
    package = folder / "node_modules" / "@modelcontextprotocol" / "sdk" / "package.json"
    return f"ts {json.loads(package.read_text())['version']}" if package.exists() else ""
