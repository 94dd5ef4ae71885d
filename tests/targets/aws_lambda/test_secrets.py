"""Secrets of a project on Lambda, from the command line to the server that reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.aws.control_plane import ControlPlane
from tests.support import CommandFailedError, Platform

FIRST, SECOND = "hunter2-first-value", "hunter2-second-value"
HEADERS = {"Accept": "application/json, text/event-stream"}
# As the server's process starts, and in a way that Python's own streams know nothing of.
CHATTY = """
import subprocess
print("connecting with", os.environ["GREETING"])
subprocess.run(["/bin/sh", "-c", "echo child has $GREETING"], check=True)
"""


@pytest.fixture
def keeper(project: Path) -> Path:
    """A server that tells its GREETING, which is a secret, in `whoami` alone."""
    with (project / "server.py").open("a") as file:
        file.write(CHATTY)
    with (project / "fastmcp.toml").open("a") as file:
        file.write('[auth]\nmode = "none"\n[environment]\nGREETING = "x ${secrets.WORD}"\n')
    return project


def told(plane: ControlPlane, project: str) -> str:
    """What the server that is live has as its GREETING."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}}
    answer = httpx.post(f"{plane.url(f'homeport-{project}')}/mcp", json=call, headers=HEADERS, timeout=60)
    data = next(line for line in answer.text.splitlines() if line.startswith("data:"))
    text: str = json.loads(data[5:])["result"]["content"][0]["text"]
    return text.partition(" ")[2]


def used(laptop: Platform, project: str) -> dict[str, dict[int, list[str]]]:
    """The releases by secret and version."""
    listed: list[dict[str, Any]] = laptop.run("list-secrets", "--project", project)["secrets"]
    return {one["name"]: {version["version"]: version["releases"] for version in one["versions"]} for one in listed}


def test_a_secret_from_before_the_first_deploy_to_the_end(laptop: Platform, plane: ControlPlane, keeper: Path) -> None:
    name = ("--project", "keeps")
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(keeper), "--name", "keeps")
    assert (caught.value.code, caught.value.error["hint"]) == (
        2,
        "homeport set-secret WORD --project keeps --target lambda",
    )
    assert laptop.run("set-secret", "WORD", FIRST, *name)["changed"] == ["WORD"]
    plan = laptop.run("deploy", str(keeper), "--name", "keeps", "--dry-run")["plan"]
    assert {"action": "pin", "detail": "WORD as they are now to the release"} in plan
    assert laptop.run("deploy", str(keeper), "--name", "keeps")["release"] == "v1"
    assert told(plane, "keeps") == f"x {FIRST}"
    assert laptop.run("deploy", str(keeper), "--name", "keeps")["changed"] is False

    plane.calls.clear()
    set_again = laptop.run("set-secret", "WORD", SECOND, *name)
    assert (set_again["changed"], set_again["release"]) == (["WORD"], "v2")
    assert not [call for call in plane.calls if "/layers" in call]
    assert told(plane, "keeps") == f"x {SECOND}"
    assert used(laptop, "keeps") == {"WORD": {1: ["v1"], 2: ["v2"]}}
    assert [one["reason"] for one in laptop.run("versions", "keeps")["versions"]] == ["secret WORD", "deploy"]
    assert laptop.run("deploy", str(keeper), "--name", "keeps")["changed"] is False

    assert laptop.run("rollback", "keeps")["release"] == "v1"
    assert told(plane, "keeps") == f"x {FIRST}"

    laptop.run("destroy", "keeps")
    assert laptop.run("list-secrets", *name)["secrets"] == []
