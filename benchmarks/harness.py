"""What the benchmarks share: a platform of their own, the peers' processes, and how results are printed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .calls import STATELESS, Way, wait_for_answer

Peer = TypeVar("Peer")
ROOT = Path(__file__).parent.parent
SERVERS = ROOT / "tests" / "servers"
BARE = Path(__file__).with_name("bare.py")
# Without bytecode every import is a compilation, on both sides.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
# As workers have it: no boxes and colours, no look for newer versions.
QUIET = {
    **ENVIRONMENT,
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "FASTMCP_ENABLE_RICH_LOGGING": "false",
    "FASTMCP_SHOW_SERVER_BANNER": "false",
    "NO_COLOR": "1",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """A project that is live, with what is needed to run the same server by hand."""

    name: str
    port: int
    layer: Path
    interpreter: Path


class Platform:
    """A platform over a state folder of its own, used through the command line."""

    def __init__(self, home: Path, environment: Mapping[str, str] = ENVIRONMENT) -> None:
        self.home = home
        self.environment = {**environment, "HOMEPORT_HOME": str(home)}

    def run(self, *arguments: str) -> dict[str, Any]:
        """`homeport ARGUMENTS --json` as the object it printed. Raises SystemExit with its output if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "platform_cli", *arguments, "--json"],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"homeport {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def deploy(self, folder: Path, name: str) -> Deployed:
        status = self.run("deploy", str(folder), "--name", name)
        manifest = self._manifest(folder)
        interpreter = Path(manifest["interpreter"]["path"])
        return Deployed(name, urlsplit(status["url"]).port or 80, self.home / "layers" / manifest["layer"], interpreter)

    @property
    def process(self) -> int:
        """The control plane's."""
        number: int = self.run("platform", "status")["pid"]
        return number

    def _manifest(self, folder: Path) -> dict[str, Any]:
        """Of the newest bundle: the one that was just made for `folder`, or that it shares with what is the same."""
        source = (folder / "server.py").read_bytes()
        found = [
            manifest
            for manifest in (self.home / "bundles").glob("*/manifest.json")
            if (manifest.parent / "app" / "server.py").read_bytes() == source
        ]
        newest = max(found, key=lambda manifest: manifest.stat().st_mtime)
        read: dict[str, Any] = json.loads(newest.read_bytes())
        return read


@contextmanager
def platform() -> Iterator[Platform]:
    """A platform over an empty state folder; stopped and removed at the end."""
    with folder("homeport-benchmark-") as home:
        running = Platform(home)
        try:
            yield running
        finally:
            running.run("platform", "stop")


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A temporary folder; a server that is just ending may still write into it while it is removed."""
    path = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def bare_command(deployed: Deployed, server: Path, port: int, way: Way) -> list[str]:
    """The server file in the folder `server` under plain uvicorn, with the deployment's layer and interpreter."""
    flags = ["-I", "-S", "-X", "utf8"]
    state = "sessions" if way.sessions else "stateless"
    return [str(deployed.interpreter), *flags, str(BARE), str(deployed.layer), str(server), str(port), state]


@contextmanager
def process(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str] = QUIET
) -> Iterator[subprocess.Popen[Any]]:
    """A program that runs until the block ends, in a session of its own; its output goes nowhere.

    Linux gives each session the same share of the processors (sched(7), "The autogroup feature"), and a worker has one:
    beside other work, a peer that shared its session with the load client would be another thing.
    """
    silent = subprocess.DEVNULL
    running = subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=silent, stdout=silent, stderr=silent, start_new_session=True
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


@contextmanager
def bare_server(deployed: Deployed, server: Path, way: Way = STATELESS) -> Iterator[tuple[int, int]]:
    """Port and process id of the peer, which answers."""
    port = free_port()
    with process(bare_command(deployed, server, port, way), server) as running:
        wait_for_answer(port, way)
        yield port, running.pid


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def in_turn(peers: Iterable[Peer], number: int) -> list[Peer]:
    """The order of `peers` in round `number`: who was first is last in the next."""
    ordered = list(peers)
    return ordered if number % 2 == 0 else ordered[::-1]


def timed(command: Sequence[str | Path], environment: Mapping[str, str] = ENVIRONMENT, cwd: Path = ROOT) -> float:
    """Seconds from start to end of a program. Raises SystemExit with its output if it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout.decode()}{done.stderr.decode()}")
    return seconds


def show(text: str) -> None:
    print(text, flush=True)


def show_ratio(name: str, value: float, goal: str) -> None:
    show(f"ratio {name}: {value:.2f} (goal {goal})")
