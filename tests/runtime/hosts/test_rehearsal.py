from __future__ import annotations

import json
import subprocess

import pytest

from ..conftest import ROOT, python_with

# What makes a server of that SDK, and what the zygote has loaded when it rehearses.
SDKS = {
    "fastmcp<4": "fastmcp",
    "fastmcp>=4": "fastmcp",
    "mcp<2": "mcp.server.fastmcp",
    "mcp>=2": "mcp.server.mcpserver",
}
PROGRAM = """
import importlib, json, logging, sys, threading
importlib.import_module(sys.argv[1])
from homeport_runtime.hosts.rehearsal import rehearse
from homeport_runtime.hosts.forkable import threads
before = threads(), list(logging.root.handlers), logging.root.level
done = rehearse()
after = threads(), list(logging.root.handlers), logging.root.level
print(json.dumps({"done": done, "same": before == after, "disabled": logging.root.manager.disable}))
"""


@pytest.mark.parametrize("requirement", SDKS)
def test_an_sdk_serves_once_and_leaves_nothing_behind(requirement: str) -> None:
    ran = subprocess.run(
        [python_with(requirement), "-W", "ignore", "-c", PROGRAM, SDKS[requirement]],
        env={"PYTHONPATH": str(ROOT / "runtime"), "FASTMCP_CHECK_FOR_UPDATES": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"done": True, "same": True, "disabled": 0}
    assert ran.stderr == ""


@pytest.mark.parametrize(("requirement", "module"), [("mcp>=2", "json"), ("fastmcp<3", "fastmcp")])
def test_where_there_is_nothing_to_rehearse(requirement: str, module: str) -> None:
    ran = subprocess.run(
        [python_with(requirement), "-W", "ignore", "-c", PROGRAM, module],
        env={"PYTHONPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not json.loads(ran.stdout)["done"]
