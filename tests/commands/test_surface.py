"""Compares the keys that each command prints with --json, and how each fails, with what tests/api/surface.toml says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from platform_cli.__main__ import cli
from tests.api.surface import EXPECTED, outline, with_empty
from tests.command_line import Command
from tests.e2e.probing import wait_for
from tests.support import ROOT, SERVERS, Platform, with_config

from .conftest import Run, environment, error_of

NAME = "surface"
# Commands that need GitHub, AWS, npm or a registry, with the tests that compare what they print.
ELSEWHERE = {
    "login": "tests/github/test_surface.py",
    "whoami": "tests/github/test_surface.py",
    "link-repo": "tests/github/test_surface.py",
    "unlink-repo": "tests/github/test_surface.py",
    "logout": "tests/github/test_surface.py",
    "inspect": "tests/commands/test_inspect.py",
    "image": "tests/images/test_image.py",
    "platform image": "tests/images/test_platform_image.py",
    "promote": "tests/targets/aws_lambda/test_promotion.py",
    "promote --dry-run": "tests/targets/aws_lambda/test_promotion.py",
    "export cloudformation": "tests/targets/aws_lambda/test_template.py",
    "approve": "tests/signin/person.py",
    "platform resource add": "tests/signin/test_elsewhere.py",
    "platform resource list": "tests/signin/test_elsewhere.py",
    "platform resource remove": "tests/signin/test_elsewhere.py",
    "alerts test": "tests/e2e/test_alerts.py",
    "users list": "tests/signin/test_clients.py",
    "users revoke": "tests/signin/test_clients.py",
    "platform deploy": "tests/aws_platform/conftest.py",
    "platform deploy --dry-run": "tests/aws_platform/test_platform.py",
    "platform destroy": "tests/aws_platform/test_platform.py",
}
# The longer ones first.
GROUPS = (
    ("platform", "token"),
    ("audit", "export-to"),
    *((name,) for name in ("alerts", "audit", "export", "platform", "token")),
)


class Asked(NamedTuple):
    """Is a command, and what it reads from its standard input."""

    arguments: tuple[str, ...]
    stdin: str = ""

    @property
    def name(self) -> str:
        """Returns the command without what it is about."""
        words = self.arguments[2:] if self.arguments[0] == "--platform" else self.arguments
        count = next((len(group) + 1 for group in GROUPS if words[: len(group)] == group), 1)
        return " ".join([*words[:count], *(["--dry-run"] if "--dry-run" in words else [])])


def asked(platform: Platform, project: Path, folder: Path) -> Iterator[Asked]:
    """Yields each command once, in an order in which one finds what the other has made."""
    for arguments in (
        ("deploy", str(project), "--name", NAME),
        ("deploy", str(project), "--name", NAME, "--dry-run"),
        ("list",),
        ("status", NAME),
        ("versions", NAME),
        ("rollback", NAME, "v1"),
        ("deployments", NAME),
        ("diff", NAME, "v1", "v1"),
        ("tools", NAME),
        ("call", NAME, "whoami"),
        ("logs", NAME, "--grep", "tools/call"),
        ("errors", NAME),
        ("metrics", NAME),
        ("audit", "show", NAME, "--tool", "whoami"),
        ("audit", "export", NAME, "--tool", "whoami"),
        ("audit", "verify", NAME),
        ("connect", NAME, "--client", "cursor"),
        ("new-token", NAME),
        ("set-secret", "KEY", "value of the key", "--project", NAME),
        ("list-secrets", "--project", NAME),
        ("unset-secret", "KEY", "--project", NAME),
        ("repos",),
        ("import", str(folder / ".mcp.json")),
        ("init", str(folder / "server.py")),
        ("--platform", "https://mcp.example.com", "export", "github-actions"),
        ("export", "kubernetes", str(project), "--image", "registry.example.com/surface:1"),
        ("console",),
        ("doctor",),
        ("platform", "start"),
        ("platform", "restart"),
        ("platform", "status"),
        ("platform", "clean", "--dry-run"),
        ("platform", "token", "create", NAME),
        ("platform", "token", "list"),
        ("platform", "token", "revoke", NAME),
    ):
        yield Asked(arguments)
    url = platform.run("platform", "status")["api_url"]
    yield Asked(("platform", "login", url), platform.run("platform", "token", "create", "laptop")["token"] + "\n")
    yield Asked(("token", "create", NAME, "--client", "cursor", "--expires", "1d"))
    yield Asked(("token", "list", NAME))
    yield Asked(("token", "revoke", NAME, platform.api.client_tokens(NAME)[0]["id"]))
    yield Asked(("alerts", "add", "https://example.com/hook", "--project", NAME))
    yield Asked(("alerts", "list"))
    yield Asked(("alerts", "remove", platform.api.alerts()[0]["id"]))
    yield Asked(("audit", "export-to", "add", "https://example.com/audit", "--project", NAME))
    yield Asked(("audit", "export-to", "list"))
    yield Asked(("audit", "export-to", "remove", platform.api.audit_exports()[0]["id"]))
    yield Asked(("destroy", NAME))
    yield Asked(("platform", "stop"))


@pytest.fixture(scope="module")
def printed(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder, home = tmp_path_factory.mktemp("folder"), tmp_path_factory.mktemp("user")
    project = with_config(SERVERS / "mcp2_lowlevel", '[auth]\nmode = "token"\n', tmp_path_factory.mktemp("project"))
    (folder / ".mcp.json").write_text('{"mcpServers": {"there": {"url": "https://mcp.example.com/mcp"}}}')
    (folder / "server.py").write_text("from fastmcp import FastMCP\n\nmcp = FastMCP('Demo')\n")
    (folder / ".git").mkdir()
    user = environment(platform, home)

    def first_line(each: Asked) -> str:
        done = Command([*each.arguments, "--json"], cwd=folder, env=user, stdin=each.stdin).wait(120)
        assert done.returncode == 0 or each.name == "doctor", f"{each.arguments}: {done.stdout}{done.stderr}"
        return done.stdout.partition("\n")[0]

    # A record of a call is written behind its answer: the log may have no line yet.
    return {
        each.name: outline(json.loads(wait_for(partial(first_line, each)))) for each in asked(platform, project, folder)
    }


@pytest.mark.parametrize("command", [name for name in EXPECTED["json"] if name not in ELSEWHERE])
def test_keys_that_a_command_prints(printed: dict[str, list[str]], command: str) -> None:
    assert with_empty(printed[command], EXPECTED["json"][command]) == EXPECTED["json"][command]


def with_json(command: click.Command, name: str = "") -> Iterator[str]:
    """Yields the names of all commands that take --json."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            yield from with_json(below, f"{name} {word}".strip())
    elif any("--json" in option.opts for option in command.params):
        yield name


def test_every_command_is_looked_at(printed: dict[str, list[str]]) -> None:
    assert [*printed, *ELSEWHERE] == [*EXPECTED["json"]]
    for command, file in ELSEWHERE.items():
        assert f'check_json("{command}"' in (ROOT / file).read_text(), f"{file} does not look at {command}"
    looked_at = {name.removesuffix(" --dry-run") for name in EXPECTED["json"]}
    assert looked_at == {*with_json(cli)}


@pytest.mark.parametrize("line", EXPECTED["failures"])
def test_category_and_exit_code_of_a_failure(run: Run, tmp_path: Path, line: str) -> None:
    done = run(*shlex.split(line), "--json", cwd=tmp_path, env={"GITHUB_SERVER_URL": "", "AWS_REGION": ""})
    code, category, message, _ = error_of(done)
    assert (category, code) == (EXPECTED["failures"][line], EXPECTED["exit_codes"][category]), message
