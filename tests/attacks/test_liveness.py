"""Tests workers that stop answering: their callers are answered by others, and the log says where they hang."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..e2e.probing import call, call_on, connect, processes, wait_for
from ..support import SERVERS, Deployment, Platform

UNRESPONSIVE_S = 5
# Keeps the event loop from everything else, until the test lets it go.
HANGS = """
import threading, uuid
held, MINE = threading.Event(), uuid.uuid4().hex


def hang() -> str:
    Path("hanging").touch()
    while not Path("let-go").exists():
        held.wait(0.05)
    return "late"


async def answer(ctx: ServerRequestContext, name: str, arguments: dict) -> str:
    match name:
        case "add":
            return str(arguments["a"] + arguments["b"])
        case "whoami":
            return MINE
        case "slow":
            return hang()
    raise ValueError(name)
"""


def deploy(platform: Platform, folder: Path, name: str, config: str = "") -> Deployment:
    folder.mkdir(exist_ok=True)
    source, requirements = (
        (SERVERS / "mcp2_lowlevel" / file).read_text() for file in ("server.py", "requirements.txt")
    )
    (folder / "server.py").write_text(source + HANGS)
    (folder / "requirements.txt").write_text(requirements)
    (folder / "fastmcp.toml").write_text(f"[scaling]\nunresponsive_s = {UNRESPONSIVE_S}\n{config}")
    return platform.deploy(folder, name=name)


@contextmanager
def hanging(platform: Platform, deployment: Deployment) -> Iterator[list[str]]:
    """Keeps a worker busy with a call meanwhile; afterwards the call's answer is in the list."""
    files = platform.home / "projects" / deployment.project / "files"
    answer: list[str] = []

    def ask() -> None:
        try:
            answer.append(call(deployment.url, "slow"))
        except (OSError, http.client.HTTPException) as error:
            answer.append(repr(error))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        wait_for((files / "hanging").exists)
        yield answer
    finally:
        (files / "let-go").touch()
        asking.join()


def logged(platform: Platform, project: str) -> str:
    return "".join(path.read_text() for path in sorted((platform.home / "projects" / project / "logs").iterdir()))


def state(platform: Platform, project: str) -> str:
    return str(platform.run("status", project)["state"])


def test_another_worker_takes_over_and_a_slow_call_is_still_answered(platform: Platform, tmp_path: Path) -> None:
    deployed = deploy(platform, tmp_path / "project", "hangs")
    first = call(deployed.url, "whoami")
    with hanging(platform, deployed) as answer:
        # Whoever comes now waits no longer than it takes to notice.
        assert call(deployed.url, "whoami") != first
        wait_for(lambda: "in hang" in logged(platform, "hangs"))
        status = platform.run("status", "hangs")
        assert status["state"] == "running"
        assert "gives no sign of life" in status["last_error"]
    assert answer == ["late"], "slow is not dead"
    wait_for(lambda: platform.api.status("hangs")["workers"] == 1)
    assert platform.run("status", "hangs")["last_error"] is None


def test_more_workers_come_before_one_is_given_up(platform: Platform, tmp_path: Path) -> None:
    deployed = deploy(platform, tmp_path / "project", "grows", "max = 2\n")
    first = call(deployed.url, "whoami")
    with hanging(platform, deployed) as answer:
        assert call(deployed.url, "whoami") != first
        assert "gives no sign of life" not in logged(platform, "grows")
    assert answer == ["late"]


def test_a_stopped_worker_continues(platform: Platform, tmp_path: Path) -> None:
    connection = connect(deploy(platform, tmp_path / "project", "stopped").url)
    first = call_on(connection, "whoami")
    stopped = process_of(platform, "stopped")
    os.kill(stopped, signal.SIGSTOP)
    # On a connection that this very worker has: nobody else could answer it.
    assert call_on(connection, "whoami") == first
    connection.close()


def process_of(platform: Platform, project: str) -> int:
    """Returns the process of the server itself: the processes around it keep its room."""
    running = processes(platform)
    inner = [pid for pid in running if pid not in running.values()]
    files = platform.home / "projects" / project / "files"
    return next(pid for pid in inner if Path(f"/proc/{pid}/cwd").resolve() == files)


def test_where_no_two_may_run_it_is_said_and_the_call_goes_on(platform: Platform, tmp_path: Path) -> None:
    deployed = deploy(platform, tmp_path / "project", "alone", '[deployment]\nreplace = "stop-first"\n')
    first = call(deployed.url, "whoami")
    with hanging(platform, deployed) as answer:
        wait_for(lambda: platform.api.status("alone")["state"] == "unresponsive")
    assert answer == ["late"]
    wait_for(lambda: platform.api.status("alone")["state"] == "running")
    assert call(deployed.url, "whoami") == first
