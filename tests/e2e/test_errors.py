"""Tests the errors of a project: each crash is in the group of its cause, with the server's own frames, tied to
releases; and what concerns the caller is in none.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from platform_cli.api.error_group import ErrorGroup, ErrorGroupDetail
from tests.support import SERVERS, CommandFailedError, Platform, with_packages

from .erring import KINDS, ask, ask_modern, ask_on_stream, source
from .probing import wait_for

KIND = "fastmcp4"
WHOLE = [pytest.param(kind, marks=pytest.mark.whole) for kind in KINDS if kind != KIND]
SECRET = "s3cret-of-the-shop"


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


def groups(platform: Platform, project: str, number: int) -> list[ErrorGroup]:
    """Returns the groups of a project, once there are so many."""

    def enough() -> list[ErrorGroup] | None:
        found = platform.api.errors(project)
        return found if len(found) >= number else None

    found: list[ErrorGroup] = wait_for(enough)
    assert len(found) == number, found
    return found


def counted(platform: Platform, project: str, count: int) -> ErrorGroupDetail:
    """Returns the only group of a project, once it has so many errors."""

    def enough() -> bool:
        return sum(group["count"] for group in platform.api.errors(project)) >= count

    wait_for(enough)
    (group,) = platform.api.errors(project)
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
    found = groups(platform, project, 2)
    assert {group["count"] for group in found} == {2}
    assert {group["method"] for group in found} == {"resources/read", "prompts/get"}
    platform.run("destroy", project)
