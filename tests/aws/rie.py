"""Runs AWS's own Runtime Interface Emulator: an independent judge of what a function does at the Runtime API.

It takes one event at a time and hands a streamed answer on only when that is whole: the prelude, and what was streamed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uv

from tests.clients.environments import install, made
from tests.runtime.conftest import wait_for

from .sandbox import DEADLINE_S, PRELUDE_END, Function, launch, machine

# It is in this wheel, for both architectures; nobody publishes it alone.
WHEEL = "aws-sam-cli==1.170.0"
INVOKE = "/2015-03-31/functions/function/invocations"


def program() -> Path:
    """Returns the emulator, kept across runs. Raises environments.UnavailableError."""

    def fetch(folder: Path) -> None:
        quiet = ("pip", "install", "--quiet", "--no-deps")
        install([uv.find_uv_bin(), *quiet, "--python", sys.executable, "--target", folder, WHEEL])

    architecture = machine()
    return made([WHEEL], fetch) / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{architecture}"


@dataclass(frozen=True, slots=True)
class RIE:
    """Is a function that the emulator runs."""

    address: str

    def invoke(self, event: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Returns the prelude and the body."""
        answer = httpx.post(f"http://{self.address}{INVOKE}", json=event, timeout=DEADLINE_S)
        prelude, ended, body = answer.content.partition(PRELUDE_END)
        assert ended, answer.text
        return json.loads(prelude), body


@contextmanager
def running(function: Function, folder: Path) -> Iterator[RIE]:
    """Runs the function under the emulator, laid out as in a sandbox. Raises environments.UnavailableError."""
    # The cache may be in /tmp, which a sandbox has for itself.
    shutil.copy(program(), function.opt / "rie")
    own, runtime_api = free_addresses()
    options = ("--runtime-interface-emulator-address", own, "--runtime-api-address", runtime_api)
    with (folder / "rie.log").open("wb") as log:
        process = launch(function, log, "/opt/rie", *options)
        try:
            wait_for(lambda: process.poll() is not None or _listens(own))
            yield RIE(own)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_addresses() -> list[str]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return [f"127.0.0.1:{server.getsockname()[1]}" for server in (one, other)]


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
