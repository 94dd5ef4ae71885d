from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api.surface import check_json
from tests.commands.conftest import PROJECT, Run, environment, error_of
from tests.console.chromium import chromium, node
from tests.e2e.probing import wait_for
from tests.support import SERVERS, Deployment, Platform, with_config


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@contextmanager
def interrupted(process: subprocess.Popen[str]) -> Iterator[None]:
    """Ends a command by Ctrl-C after the block, and asserts that this is no failure."""
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("programs", "said", "advice"),
    [
        ({}, "there is no `node` here", "install Node.js 22.19"),
        ({"node": "echo v24.0.0"}, "there is no `npx` here", "install Node.js 22.19"),
        ({"node": "echo v22.18.9", "npx": ""}, "is v22.18.9", "install Node.js 22.19"),
        ({"node": "exit 1", "npx": ""}, "is broken", "install Node.js 22.19"),
        (
            {"node": "echo v22.19.0", "npx": "echo npm error network offline; exit 1"},
            "cannot fetch the MCP Inspector: npm error network offline",
            "`npx --yes @modelcontextprotocol/inspector@2.12 --help`",
        ),
        ({"node": "echo v24.0.0", "npx": "exit 3"}, "did not start: it said nothing", "start it again"),
    ],
)
def test_what_is_missing_is_said_with_the_next_step(
    run: Run, tiny: Deployment, tmp_path: Path, programs: dict[str, str], said: str, advice: str
) -> None:
    for name, script in programs.items():
        program(tmp_path / "bin", name, script)
    done = run("inspect", PROJECT, "--json", env={"PATH": f"{tmp_path / 'bin'}"})
    _code, _category, message, hint = error_of(done)
    assert said in message
    assert advice in hint


@pytest.mark.whole
def test_inspector_is_connected_to_a_guarded_project_and_ends_with_ctrl_c(platform: Platform, tmp_path: Path) -> None:
    found = node()
    source = with_config(SERVERS / "mcp2_lowlevel", '[auth]\nmode = "token"\n', tmp_path)
    token = platform.run("deploy", str(source), "--name", "inspected")["token"]
    search = os.pathsep.join((str(found.program.parent), os.environ["PATH"]))
    with (
        subprocess.Popen(
            [sys.executable, "-m", "platform_cli", "inspect", "inspected", "--json"],
            env={**environment(platform, tmp_path), "PATH": search},
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
        interrupted(process),
    ):
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        check_json("inspect", printed)
        link = printed["inspector"]
        (key,) = re.findall("autoConnect=([0-9a-f]{64})", link)
        arguments = {path: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()}
        catalog = bytes(platform.home / "tmp" / "inspector-")
        ours = {path.parent for path, words in arguments.items() if catalog in words}
        assert ours
        assert all(path.stat().st_mode & 0o077 == 0 for path in (platform.home / "tmp").glob("inspector-*"))
        assert not any(each.encode() in words for words in arguments.values() for each in (key, token))
        with chromium() as browser:
            browser.run(f"await page.goto({json.dumps(link)}, {{ waitUntil: 'domcontentloaded' }})")
            for shown in ("Connected", "Tools", "whoami"):
                browser.run(f"await page.getByText({json.dumps(shown)}).first().click()")
    wait_for(lambda: not any(each.exists() for each in ours))
    assert list((platform.home / "tmp").glob("inspector-*")) == []
