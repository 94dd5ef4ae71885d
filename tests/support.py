"""Holds what several test folders share: requirements on the machine, and the product run as a person runs it."""

from __future__ import annotations

import contextlib
import errno
import inspect
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from platform_cli.config.load import load_project
from platform_cli.home import Home
from platform_cli.pipeline import layer, lock
from platform_cli.pipeline.build import install
from platform_cli.pipeline.stages import Stages
from platform_cli.platform_client.client import PlatformClient

from .clients import environments
from .command_line import Command

ROOT = Path(__file__).parent.parent
SERVERS = ROOT / "tests" / "servers"
SMALLEST = "mcp2_lowlevel"


def require(condition: object, reason: str) -> None:
    """Skips the running test when `condition` is false. On CI nothing may be missing, so there it fails."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI lacks something: {reason}", pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Deployment:
    """Holds what `homeport deploy --json` answered."""

    project: str
    url: str
    mcp_url: str
    sse_url: str
    changed: bool
    release: str


class CommandFailedError(Exception):
    """Says that `homeport` ended with an exit code other than 0; `error` is its JSON error, empty if it
    printed none.
    """

    def __init__(self, arguments: Sequence[str], code: int, error: dict[str, Any], stderr: str) -> None:
        super().__init__(f"homeport {' '.join(arguments)}: exit code {code}\n{json.dumps(error)}\n{stderr[-4000:]}")
        self.code = code
        self.error = error


class Platform:
    """Is one state folder with the platform that runs over it, used through the command line alone."""

    def __init__(self, home: Path, path: Sequence[Path] = (), timeout_s: float = 300) -> None:
        self.home = home
        self.timeout_s = timeout_s
        search = [*map(str, path), os.environ.get("PATH", os.defpath)]
        self.environment = {**os.environ, "HOMEPORT_HOME": str(home), "PATH": os.pathsep.join(search)}

    def run(self, *arguments: str) -> dict[str, Any]:
        """Runs `homeport ARGUMENTS --json`, and returns the object that it printed. Raises CommandFailedError."""
        done = self.start(*arguments).wait(self.timeout_s)
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            answer = {}
        if done.returncode != 0:
            raise CommandFailedError(arguments, done.returncode, answer.get("error", {}), done.stderr)
        assert answer.get("ok"), f"not one JSON object with ok on stdout:\n{done.stdout}\n{done.stderr}"
        return answer

    def start(self, *arguments: str) -> Command:
        """Starts the same as a process that runs."""
        # What follows `--` is the server's.
        end = arguments.index("--") if "--" in arguments else len(arguments)
        return Command([*arguments[:end], "--json", *arguments[end:]], cwd=ROOT, env=self.environment)

    @property
    def api(self) -> PlatformClient:
        """Returns a client of the running platform's API, for what a test asks until it is so: a command takes a
        hundred times as long.
        """
        return PlatformClient(Home(self.home), timeout_s=self.timeout_s)

    def deploy(self, source: Path | str, *, name: str, env: Mapping[str, str] | None = None) -> Deployment:
        pairs = [argument for key, value in (env or {}).items() for argument in ("--env", f"{key}={value}")]
        answer = self.run("deploy", str(source), "--name", name, *pairs)
        return Deployment(**{field: answer[field] for field in Deployment.__slots__})

    def stop(self) -> None:
        self.run("platform", "stop")


def with_config(folder: Path, config: str, into: Path) -> Path:
    """Returns a copy of the project `folder` in `into`, with `config` added to its fastmcp.toml."""
    copy = into / folder.name
    shutil.copytree(folder, copy)
    with (copy / "fastmcp.toml").open("a") as file:
        file.write(config)
    return copy


def with_packages(home: Path, *kinds: str | Path) -> Path:
    """Makes `home`, with the packages of the smallest server and of `kinds` as their first deploys would install and
    compile them, since that takes longer than most of what is tested with it.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for kind in (SMALLEST, *kinds):
        for part in ("layers", "cache"):
            shutil.copytree(_packages(kind) / part, home / part, copy_function=link, dirs_exist_ok=True)
    return home


def link(source: str, copy: str) -> None:
    """Links `copy` to the file `source`, or copies it where they are on two file systems, as with /tmp in memory."""
    with contextlib.suppress(FileExistsError):  # two kinds of servers may have a file in common
        try:
            os.link(source, copy)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copy2(source, copy)


@cache
def _packages(kind: str | Path) -> Path:
    """Returns a home with that layer alone, made once for all runs of the tests."""
    project = load_project(SERVERS / kind)

    def fill(folder: Path) -> None:
        made = install(project, Home(folder), Stages(lambda _: None, lambda _: None), lambda _: None)
        subprocess.run([made.interpreter.path, "-m", "compileall", "-qq", made.layer.path], check=False)

    requirements = (SERVERS / kind / "requirements.txt").read_text()
    return environments.made([requirements, inspect.getsource(lock), inspect.getsource(layer)], fill)
