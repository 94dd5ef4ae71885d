"""Checks what every page says: commands and options that exist, links that lead somewhere, bounds of the code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from homeport_runtime.hosts.cgroups import SHARED_MB
from homeport_runtime.hosts.limits import PROCESSES
from platform_cli.__main__ import cli
from platform_cli.commands.audit import WithDefault
from platform_cli.console.pages import audit, calls, logs
from platform_cli.controlplane import garbage
from tests.support import ROOT

from .pages import PAGES, blocks, steps

SHELL = ("console", "sh")
FOLDERS = ("benchmarks", "docs", "examples", "infra", "platform_cli", "runtime", "tests", "tools")


def command_lines() -> Iterator[tuple[str, str]]:
    """Yields each `homeport` command with the place where it stands."""
    for page in PAGES:
        for block in blocks(page):
            if block.language not in SHELL:
                continue
            lines = [step.command for step in steps(block)] if block.language == "console" else block.text.splitlines()
            for line in lines:
                for part in re.split(r"\||&&", line.partition(" #")[0]):
                    if part.split()[:1] == ["homeport"]:
                        yield f"{page.relative_to(ROOT)}:{block.line}", part.strip()


@pytest.mark.parametrize(("where", "line"), list(command_lines()))
def test_commands_and_options_exist(where: str, line: str) -> None:
    words = shlex.split(line.partition(" <")[0].partition(" >")[0])[1:]
    given = words[: words.index("--")] if "--" in words else words
    command: click.Command = cli
    context = click.Context(cli)
    known = options(cli)
    rest = list(given)
    while isinstance(command, click.Group) and rest:
        word = rest.pop(0)
        if word in known:
            rest = rest[1:]
            continue
        found = command.get_command(context, word)
        if found is None and isinstance(command, WithDefault):
            found = command.get_command(context, "show")
        assert found is not None, f"{where}: there is no command {word}"
        command = found
        known |= options(command)
    used = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert used <= known, f"{where}: {line}"


def options(command: click.Command) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_folders_exist(page: Path) -> None:
    # What has neither a slash at its end nor a suffix may be a method of MCP (tools/call).
    for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/(?:[\w./-]*(?:/|\.\w+))?)`", page.read_text()):
        assert (ROOT / path).exists(), f"{page.name}: {path}"


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("guides/deploy.md", f"The newest {garbage.KEEP} releases of a project stay"),
        ("architecture.md", f"beyond the newest {garbage.KEEP}"),
        ("guides/team-host.md", f"to which {SHARED_MB} MB are added"),
        ("guides/team-host.md", f"They have up to {PROCESSES:,} processes"),
        ("guides/console.md", f"The newest {calls.MOST}, by tool"),
        ("guides/console.md", f"The newest {audit.MOST} lines of the audit log"),
        ("guides/console.md", f"The last {logs.TAIL} records"),
    ],
)
def test_bounds_are_those_of_the_code(page: str, said: str) -> None:
    assert said in " ".join((ROOT / "docs" / page).read_text().split())
