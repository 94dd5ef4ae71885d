"""Reads the project's pages: their fenced blocks, and transcripts of a shell that can be run again.

A block `console` is a transcript: lines that start with `$ ` are commands, the lines below each are what it printed.
A block whose language is followed by a file name (```toml fastmcp.toml) is that file, written when the page is run.
Blocks `sh` are commands that are not run, such as those that need an AWS account.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMEOUT_S = 300
# Commands that look at deployments, and the seconds for which these may be under way.
LOOKS = ("homeport deployments", "homeport repos")
DEADLINE_S = 90.0
# What differs between two runs, and what stands for it.
DIFFERS = (
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"\d\d:\d\d(:\d\d)?"), "TIME"),
    (re.compile(r"\b\d+\.\d+ (ms|s)\b"), r"# \1"),
    (re.compile(r" +cached$", re.MULTILINE), ""),
    (re.compile(r"process \d+"), "process #"),
    (re.compile(r"\b([0-9a-f]{40}|[0-9a-f]{7,8})\b"), "COMMIT"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"https://\w+\.lambda-url\.[\w-]+\.on\.aws"), "http://ADDRESS"),
    (re.compile(r"homeport_[\w-]+(\.\.\.)?"), "TOKEN"),
    (re.compile(r"#login=[\w-]{43}"), "#login=CODE"),
    (re.compile(r" +"), " "),
    (re.compile(r" $", re.MULTILINE), ""),
)


@dataclass(frozen=True, slots=True)
class Block:
    """Holds what stands between two fences; `file` is the name behind the language, if any."""

    page: Path
    line: int
    language: str
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """Holds a command of a transcript, and what the page says that it prints."""

    where: str
    command: str
    output: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2], found[3])


def steps(block: Block) -> Iterator[Step]:
    _, *parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    for part in parts:
        command, _, output = part.partition("\n")
        yield Step(f"{block.page.name}, block at line {block.line}", command, output)


def run_page(page: Path, folder: Path, environment: Mapping[str, str], said: Mapping[str, str] | None = None) -> None:
    """Writes the page's files into `folder` and runs its transcripts there, from top to bottom.

    `said` has what stands on the page for what is meant here, such as the address of a repository.
    """
    for block in blocks(page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_replaced(block.text, said or {}))
        elif block.language == "console":
            for step in steps(block):
                _check(step, folder, environment, said or {})


def _check(step: Step, folder: Path, environment: Mapping[str, str], said: Mapping[str, str]) -> None:
    """Runs it. What looks at deployments that are under way is asked again until they are done."""
    command, end = _replaced(step.command, said), time.monotonic() + DEADLINE_S
    printed = _run(command, folder, environment)
    while not (is_same := _matches(step, printed, said)) and command.startswith(LOOKS) and time.monotonic() < end:
        printed = _run(command, folder, environment)
    assert is_same, f"{step.where}: `{command}` printed\n{printed}\nand not\n{step.output}"


def _run(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    ).stdout


def _matches(step: Step, printed: str, said: Mapping[str, str]) -> bool:
    """Tells whether the lines are those of the page, on which a line `...` stands for any lines."""
    wanted, found = _comparable(_replaced(step.output, said)), _comparable(printed)
    pattern = "".join("(.*\n)*?" if line == "..." else f"{re.escape(line)}\n" for line in wanted.splitlines())
    return re.fullmatch(pattern, found) is not None


def _replaced(text: str, said: Mapping[str, str]) -> str:
    for there, here in said.items():
        text = text.replace(there, here)
    return text


def _comparable(text: str) -> str:
    """Returns the lines without what differs between two runs, and without empty lines, which say nothing."""
    for pattern, name in DIFFERS:
        text = pattern.sub(name, text)
    return "".join(f"{line}\n" for line in text.splitlines() if line.strip())
