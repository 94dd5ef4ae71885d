"""The keys that each command prints with --json, against what tests/api/surface.toml says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from platform_cli.__main__ import COMMANDS
from tests.api.surface import EXPECTED, outline, with_empty
from tests.command_line import Command
from tests.e2e.probing import wait_for
from tests.support import SERVERS, Platform, with_config

from .conftest import environment

NAME = "surface"
# GitHub's are run in tests/github, what is on Lambda alone in tests/targets, what needs a registry in tests/images;
# `dev` has no --json.
ELSEWHERE = {"dev", "image", "login", "logout", "whoami", "link-repo", "unlink-repo", "promote"}


def commands(project: Path, folder: Path) -> Iterator[tuple[str, ...]]:
    """Each command once, in an order in which one finds what the other has made."""
    yield "deploy", str(project), "--name", NAME
    yield "deploy", str(project), "--name", NAME, "--dry-run"
    yield ("list",)
    yield "status", NAME
    yield "versions", NAME
    yield "rollback", NAME, "v1"
    yield "deployments", NAME
    yield "diff", NAME, "v1", "v1"
    yield "tools", NAME
    yield "call", NAME, "whoami"
    yield "logs", NAME, "--grep", "tools/call"
    yield "connect", NAME, "--client", "cursor"
    yield "new-token", NAME
    yield "set-secret", "KEY", "value of the key", "--project", NAME
    yield "list-secrets", "--project", NAME
    yield "unset-secret", "KEY", "--project", NAME
    yield ("repos",)
    yield "import", str(folder / ".mcp.json")
    yield "init", str(folder / "server.py")
    yield "--platform", "https://mcp.example.com", "export", "github-actions"
    yield ("doctor",)
    yield "platform", "start"
    yield "platform", "status"
    yield "platform", "clean", "--dry-run"
    yield "platform", "token", "create", NAME
    yield "platform", "token", "list"
    yield "platform", "token", "revoke", NAME
    yield "destroy", NAME


def named(arguments: tuple[str, ...]) -> str:
    """The command without what it is about."""
    first = 2 if arguments[0] == "--platform" else 0
    words = 3 if "token" in arguments else 2 if arguments[first] in ("export", "platform") else 1
    return " ".join([*arguments[first : first + words], *(["--dry-run"] if "--dry-run" in arguments else [])])


@pytest.fixture(scope="module")
def printed(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder, home = tmp_path_factory.mktemp("folder"), tmp_path_factory.mktemp("user")
    project = with_config(SERVERS / "mcp2_lowlevel", '[auth]\nmode = "token"\n', tmp_path_factory.mktemp("project"))
    (folder / ".mcp.json").write_text('{"mcpServers": {"there": {"url": "https://mcp.example.com/mcp"}}}')
    (folder / "server.py").write_text("from fastmcp import FastMCP\n\nmcp = FastMCP('Demo')\n")
    (folder / ".git").mkdir()
    user = environment(platform, home)

    def first_line(arguments: tuple[str, ...]) -> str:
        done = Command([*arguments, "--json"], cwd=folder, env=user).wait(120)
        assert done.returncode == 0 or arguments == ("doctor",), f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout.partition("\n")[0]

    # A record of a call is written behind its answer: the log may have no line yet.
    return {named(each): outline(json.loads(wait_for(partial(first_line, each)))) for each in commands(project, folder)}


@pytest.mark.parametrize("command", [*EXPECTED["json"]])
def test_keys_that_a_command_prints(printed: dict[str, list[str]], command: str) -> None:
    assert with_empty(printed[command], EXPECTED["json"][command]) == EXPECTED["json"][command]


def test_every_command_is_looked_at(printed: dict[str, list[str]]) -> None:
    assert [*printed] == [*EXPECTED["json"]]
    assert {command.split()[0] for command in printed} | ELSEWHERE == {*COMMANDS}
