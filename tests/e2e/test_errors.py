"""Tests the errors of a project: each crash is in the group of its cause, with the server's own frames, tied to
releases; and what concerns the caller is in none.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from platform_cli.api.error_group import ErrorGroup, ErrorGroupDetail
from tests.support import SERVERS, CommandFailedError, Platform, with_packages

from .erring import KINDS, ask, ask_modern, ask_on_stream, source
from .probing import wait_for

KIND = "fastmcp4"
WHOLE = [pytest.param(kind, marks=pytest.mark.whole) for kind in KINDS if kind != KIND]
SECRET = "s3cret-of-the-shop"
# Prints a traceback, and ends.
STDIO = """
import os
import traceback

from mcp.server.fastmcp import FastMCP

mcp = FastMCP("stdio")

def die():
    try:
        raise ValueError("out of luck")
    except ValueError:
        traceback.print_exc()
        os._exit(3)

@mcp.tool()
def end() -> str:
    die()

mcp.run("stdio")
"""
# Tools that only the fastmcp server has: what it says of itself is hostile, and its secret is in an exception.
MORE = """
import os

from fastmcp import FastMCP

hostile = FastMCP("hostile")


@hostile.tool
def say(text: str) -> None:
    os.write(1, b"\\x1e" + text.encode() + b"\\n")


@hostile.tool
def tell(before: int) -> None:
    raise ValueError("x" * before + os.environ["KEY"])


hostile.run()
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home"), KIND))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def deploy(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, str]]:
    """Returns `deploy(kind, more="")`, which deploys the server of a kind, with `more` before it, and returns the
    project's name and URL.
    """

    def deployed(kind: str, more: str = "", name: str | None = None) -> tuple[str, str]:
        folder = tmp_path_factory.mktemp(kind)
        for each in (SERVERS / kind).iterdir():
            if each.name in ("requirements.txt", "fastmcp.toml"):
                (folder / each.name).write_bytes(each.read_bytes())
        (folder / "server.py").write_text(more + source(kind))
        found = platform.deploy(folder, name=name or kind.replace("_", "-"))
        return found.project, found.url

    return deployed


def groups(platform: Platform, project: str, count: int) -> list[ErrorGroup]:
    """Returns the groups of a project, once they have so many errors together."""

    def enough() -> list[ErrorGroup] | None:
        found = platform.api.errors(project)
        return found if sum(group["count"] for group in found) >= count else None

    found: list[ErrorGroup] = wait_for(enough)
    return found


def counted(platform: Platform, project: str, count: int) -> ErrorGroupDetail:
    """Returns the only group of a project, once it has so many errors."""
    (group,) = groups(platform, project, count)
    assert group["count"] == count
    return platform.api.error(project, group["id"])


def settled(platform: Platform, project: str, url: str) -> None:
    """Waits until what was asked before is known: the records of a worker come in their order."""
    before = platform.api.metrics(project, 0.0, "tool")["total"]["operations"]
    ask(url, "tools/list", {})
    wait_for(lambda: platform.api.metrics(project, 0.0, "tool")["total"]["operations"] > before)


@pytest.mark.parametrize("kind", [KIND, *WHOLE])
def test_a_crash_is_one_group_in_every_way_to_ask(
    platform: Platform, deploy: Callable[..., tuple[str, str]], kind: str
) -> None:
    project, url = deploy(kind)
    crash = {"name": "boom", "arguments": {"key": 7}}
    ways = (ask, ask_modern, ask_on_stream)
    for way in ways:
        way(url, "tools/call", crash)
    detail = counted(platform, project, len(ways))
    assert (detail["type"], detail["message"]) == ("KeyError", "'no 7'")
    assert (detail["where"] or "").startswith("server.py:")
    assert (detail["method"], detail["name"]) == ("tools/call", "boom")
    assert detail["releases"][0]["count"] == len(ways)
    frames = [frame for frame in detail["samples"][0]["frames"] if frame["own"]]
    assert [frame["function"] for frame in frames][-1] == "find"
    assert frames[-1]["source"][frames[-1]["line"] - frames[-1]["source_start"]] == "    return table[key]"
    platform.run("destroy", project)


@pytest.mark.parametrize("kind", [KIND, *WHOLE])
def test_what_concerns_the_caller_is_in_no_group(
    platform: Platform, deploy: Callable[..., tuple[str, str]], kind: str
) -> None:
    project, url = deploy(kind)
    for way in (ask, ask_modern, ask_on_stream):
        way(url, "tools/call", {"name": "told", "arguments": {}})
        way(url, "tools/call", {"name": "no such tool", "arguments": {}})
        if "lowlevel" not in kind:
            way(url, "tools/call", {"name": "boom", "arguments": {"key": "none"}})
    settled(platform, project, url)
    assert platform.api.errors(project) == []
    for way in (ask, ask_modern):
        way(url, "resources/read", {"uri": "config://app"})
        way(url, "prompts/get", {"name": "greet"})
    found = groups(platform, project, 4)
    assert [group["count"] for group in found] == [2, 2]
    assert {group["method"] for group in found} == {"resources/read", "prompts/get"}
    platform.run("destroy", project)


def test_a_call_that_ends_its_worker_is_one_group(platform: Platform, deploy: Callable[..., tuple[str, str]]) -> None:
    project, url = deploy(KIND)
    for how in ("exit", "kill"):
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(url, "tools/call", {"name": "end", "arguments": {"how": how}})
    detail = counted(platform, project, 2)
    assert (detail["kind"], detail["name"], detail["where"]) == ("crash", "end", None)
    said = {sample["message"] for sample in detail["samples"]}
    assert any("exit 3" in message for message in said)
    platform.run("destroy", project)


@pytest.mark.whole
def test_a_program_in_another_process_is_one_group(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(STDIO)
    (tmp_path / "requirements.txt").write_text("mcp<2\n")
    (tmp_path / "fastmcp.toml").write_text("[deployment]\ncommand = \"sh -c 'exec python server.py'\"\n")
    url = platform.run("deploy", str(tmp_path), "--name", "stdio")["url"]
    for _ in range(2):
        ask(url, "tools/call", {"name": "end", "arguments": {}})
    detail = counted(platform, "stdio", 2)
    assert (detail["kind"], detail["name"], detail["where"]) == ("crash", "end", "server.py:11")
    assert detail["message"].endswith("ValueError: out of luck")
    platform.run("destroy", "stdio")


def test_a_group_lives_through_releases(platform: Platform, deploy: Callable[..., tuple[str, str]]) -> None:
    project, url = deploy(KIND, name="life")

    def crash(times: int) -> ErrorGroupDetail:
        ask(url, "tools/call", {"name": "boom", "arguments": {"key": times}})
        return counted(platform, project, times)

    group = crash(1)["id"]
    lines = platform.start("errors", project, str(group)).wait(platform.timeout_s)
    assert json.loads(lines.stdout)["type"] == "KeyError"

    # The lines have moved, and a deploy says what is open.
    deploy(KIND, more="# another line\n\n", name="life")
    found = crash(2)
    assert (found["id"], found["first_release"], found["last_release"]) == (group, "v1", "v2")
    assert {each["release"]: each["count"] for each in found["releases"]} == {"v1": 1, "v2": 1}

    assert platform.run("status", project)["open_errors"] == 1
    resolved = platform.run("errors", project, str(group), "resolve")
    listed = {each["project"]: each["open_errors"] for each in platform.run("list")["projects"]}
    assert listed[project] == 0
    assert (resolved["state"], resolved["state_release"]) == ("resolved", "v2")
    assert crash(3)["state"] == "resolved", "the release in which it is resolved is the next one"
    platform.run("rollback", project, "v1")
    assert crash(4)["state"] == "resolved", "an older release has the error, as is known"
    assert platform.run("errors", project)["errors"] == []

    deploy(KIND, more="# a third\n", name="life")
    again = crash(5)
    assert (again["state"], again["state_release"]) == ("regressed", "v3")
    folder = platform.api.status(project)["folder"] or ""
    report = platform.run("deploy", folder, "--name", project, "--env", "A=1")
    assert "open-errors" in {finding["kind"] for finding in report["findings"]}

    assert platform.run("errors", project, str(group), "mute")["state"] == "muted"
    assert crash(6)["state"] == "muted"
    assert platform.run("errors", project, str(group), "reopen")["state"] == "open"

    before = platform.api.error(project, group)
    os.kill(platform.run("platform", "status")["pid"], signal.SIGKILL)
    assert platform.run("errors", project, str(group))["samples"] == before["samples"]

    platform.run("destroy", project)

    def left() -> bool:
        with closing(sqlite3.connect(platform.home / "telemetry.sqlite")) as db:
            tables = ("errors", "error_releases", "error_samples")
            return not any(db.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in tables)

    assert wait_for(left)


def test_what_a_server_says_of_itself_is_bounded_and_without_secrets(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(MORE)
    (tmp_path / "requirements.txt").write_text((SERVERS / KIND / "requirements.txt").read_text())
    (tmp_path / ".env").write_text(f"KEY={SECRET}\n")
    url = platform.run("deploy", str(tmp_path), "--name", "hostile", "--env-file", str(tmp_path / ".env"))["url"]
    for before in (0, 990, 1000 - len(SECRET) // 2):
        ask(url, "tools/call", {"name": "tell", "arguments": {"before": before}})
    detail = counted(platform, "hostile", 3)
    text = json.dumps(detail)
    assert not any(SECRET[start : start + 6] in text for start in range(len(SECRET) - 6))
    assert "[secret KEY]" in text

    frame = {"file": "a.py", "function": "f", "line": 1, "own": True}
    good = {"type": "E", "message": "m\x1b[2J", "frames": [frame], "project": "other", "release": 99}
    bad: tuple[object, ...] = (
        [], {}, {"type": 1, "frames": []}, {"type": "E"}, {"type": "E", "frames": "no"}, {"type": "E", "frames": [1]},
        {**good, "frames": [frame] * 1000}, {**good, "frames": [{**frame, "line": -1}]},
        {**good, "frames": [{**frame, "line": 1e308}]}, {**good, "frames": [{**frame, "file": None}]},
    )  # fmt: skip
    for error in (*bad, good):
        text = json.dumps({"error": error}, separators=(",", ":"))
        ask(url, "tools/call", {"name": "say", "arguments": {"text": text}})
    (forged,) = [group for group in groups(platform, "hostile", 4) if group["type"] == "E"]
    assert (forged["count"], forged["message"], forged["last_release"]) == (1, "m?[2J", "v1")
    assert platform.api.errors("hostile")[0]["project"] == "hostile"


def test_what_is_not_there(platform: Platform) -> None:
    for arguments in (("nobody",), ("hostile", "999999"), ("hostile", "999999", "mute")):
        with pytest.raises(CommandFailedError) as error:
            platform.run("errors", *arguments)
        assert error.value.code == 4
