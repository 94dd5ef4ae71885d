"""Runs the official conformance suite against a URL, and its own SDK bare for comparison."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.aws.sandbox import machine
from tests.clients import environments
from tests.support import free_port

HERE = Path(__file__).parent
SERVER = HERE / "server"
REVISIONS = ("2026-07-28", "2025-11-25")
# The tables of `homeport deploy`: how the project is configured in each mode.
MODES = {"stateless": "[deployment]\nsessions = false\n", "sessions": "[deployment]\nsessions = true\n"}
# On Lambda there is only the first of them, and nobody may hold a connection open to be told of changes.
LAMBDA = f'[auth]\nmode = "none"\n[deployment.lambda]\narchitecture = "{machine()}"\n'

SUITE_DEADLINE_S = 300
START_DEADLINE_S = 60

_SCENARIO = re.compile(r"^[✓✗] (\S+): (\d+) passed, (\d+) failed$", re.MULTILINE)
_ITEM = re.compile(r"^  - (\S+)", re.MULTILINE)
_BARE = "from server import mcp; {before}mcp.run('streamable-http', port={port}, stateless_http={stateless})"
# Leaves the server without subscriptions, as MCPServer(subscriptions=False) does.
_UNHEARD = "del mcp._lowlevel_server._request_handlers['subscriptions/listen']; "


@dataclass(frozen=True, slots=True)
class Outcome:
    """Holds one run of the suite: the checks `(passed, failed)` of every scenario that it ran.

    `required` names the scenarios that count; extensions and the like run too. `expected` names those that may fail.
    `ok` is the suite's own verdict, which also refuses an expected failure that passes.
    """

    ok: bool
    scenarios: Mapping[str, tuple[int, int]]
    required: tuple[str, ...]
    expected: tuple[str, ...]
    log: str

    def worse_than(self, bare: Outcome) -> dict[str, str]:
        """Returns every scenario, required or not, in which fewer checks pass or more fail than for the same server
        bare.
        """
        return {
            name: f"{self.scenarios.get(name)}, bare {checks}"
            for name, checks in bare.scenarios.items()
            if (ours := self.scenarios.get(name, (0, 0)))[0] < checks[0] or ours[1] > checks[1]
        }


def _package() -> Path:
    return environments.node().folder / "node_modules/@modelcontextprotocol/conformance"


def program() -> list[str]:
    """Returns the command that runs the suite. Raises environments.UnavailableError."""
    return [str(environments.node().program), str(_package() / "dist/index.js")]


def run(mcp_url: str, revision: str, mode: str) -> Outcome:
    """Runs what protocol `revision` requires of a server. Raises environments.UnavailableError."""
    package = _package()
    failures = HERE / f"{mode}-{revision}.yml"
    baseline = ["--expected-failures", str(failures)] if failures.exists() else []
    command = [*program(), "server", "--url", mcp_url]
    with tempfile.TemporaryDirectory() as results:
        ran = subprocess.run(
            [*command, "--requirements", revision, *baseline, "-o", results],
            capture_output=True,
            text=True,
            timeout=SUITE_DEADLINE_S,
            check=False,
        )
    return Outcome(
        ok=ran.returncode == 0,
        scenarios={name: (int(passed), int(failed)) for name, passed, failed in _SCENARIO.findall(ran.stdout)},
        required=_server_items(package / "requirements" / f"{revision}.yaml"),
        expected=_server_items(failures) if baseline else (),
        log=ran.stdout + ran.stderr,
    )


def _server_items(path: Path) -> tuple[str, ...]:
    """Returns the names under the top-level key `server` of one of the suite's YAML files."""
    section = re.split(r"^\w+:.*$", path.read_text().partition("\nserver:\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return tuple(_ITEM.findall(section))


@contextmanager
def bare(mode: str, *, listens: bool = True) -> Iterator[str]:
    """Runs the conformance server by its SDK alone, and yields its /mcp URL. Raises environments.UnavailableError."""
    port = free_port()
    program = _BARE.format(before="" if listens else _UNHEARD, port=port, stateless=mode == "stateless")
    command = [str(environments.python("mcp2")), "-c", program]
    process = subprocess.Popen(command, cwd=SERVER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/mcp"
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the bare conformance server did not start: exit code {process.poll()}")
