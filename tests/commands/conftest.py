"""Runs one platform with one small project for all command tests, and the command line as a person runs it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, AnyStr

import pytest

from tests.command_line import Command
from tests.support import ROOT, SERVERS, Deployment, Platform, with_packages

PROJECT = "tiny"
DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Done:
    """Holds how a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home")))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def tiny(platform: Platform) -> Deployment:
    return platform.deploy(SERVERS / "mcp2_lowlevel", name=PROJECT)


@pytest.fixture
def run(platform: Platform, tmp_path: Path) -> Run:
    """Returns `run(*arguments, cwd=..., env=...)`, which runs homeport as a process of its own, with a HOME that is the
    test's.
    """

    def run_homeport(*arguments: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> Done:
        given = {**environment(platform, tmp_path), **(env or {})}
        done = Command(arguments, cwd=cwd, env=given).wait(120)
        return Done(done.returncode, done.stdout, done.stderr)

    return run_homeport


@contextmanager
def ends_in_time(process: subprocess.Popen[AnyStr]) -> Iterator[None]:
    """Kills a process that still runs after the deadline, so that reading its output cannot wait for ever."""
    timer = threading.Timer(DEADLINE_S, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def environment(platform: Platform, home: Path) -> dict[str, str]:
    """Returns an environment that leads away from the folders of clients which this machine's user has installed."""
    kept = {key: value for key, value in platform.environment.items() if key not in ("CLAUDE_CONFIG_DIR", "NO_COLOR")}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


def error_of(done: Done) -> tuple[int, str, str, str]:
    """Returns the parts of a failure: exit code, category, message, hint. Asserts that stdout has one JSON object
    alone.
    """
    answer = done.json
    assert answer["ok"] is False
    assert set(answer["error"]) == {"category", "message", "hint"}
    assert "Traceback" not in done.stderr
    return done.code, answer["error"]["category"], answer["error"]["message"], answer["error"]["hint"] or ""
