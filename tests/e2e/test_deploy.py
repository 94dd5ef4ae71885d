"""Tests what a deploy, a rollback and a destroy change, what they leave alone, and what they answer."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ..support import CommandFailedError, Platform
from .probing import call, homeport, wait_for

SERVER = """
import os
from pathlib import Path

from mcp.server import MCPServer

HERE = Path(__file__).parent
VERSION = "1"
mcp = MCPServer("Own Name")


@mcp.tool()
def version() -> str:
    return VERSION


@mcp.tool()
def variable(name: str) -> str:
    return os.environ.get(name, "not set")


@mcp.tool()
def write(path: str, text: str, beside_the_file: bool = False) -> str:
    print(f"writes {path}")
    ((HERE if beside_the_file else Path()) / path).write_text(text)
    return "written"


@mcp.tool()
def read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else "no such file"
"""
# Loads when it is inspected, and fails when it is to serve.
FAILS_TO_SERVE = """
import os

if os.environ["HOMEPORT_PROJECT"] != "inspection":
    raise RuntimeError("the database is not there")
"""
DEPLOY_KEYS = {
    "ok", "project", "release", "target", "url", "mcp_url", "sse_url", "auth", "changed", "findings", "stages"
}  # fmt: skip


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("deploys") / "home")
    platform.environment["AWS_SECRET_ACCESS_KEY"] = "the caller's own"
    yield platform
    platform.stop()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "the-folder"
    folder.mkdir()
    (folder / "requirements.txt").write_text("mcp>=2\n")
    (folder / "server.py").write_text(SERVER)
    return folder


def release(project: Path, number: int, more: str = "") -> Path:
    """Returns the folder with the server of that release in it."""
    (project / "server.py").write_text(SERVER.replace('"1"', f'"{number}"') + more)
    return project


def states(platform: Platform, name: str) -> dict[str, str]:
    return {each["release"]: each["state"] for each in platform.run("versions", name)["versions"]}


def refused(platform: Platform, *arguments: str) -> tuple[int, str]:
    with pytest.raises(CommandFailedError) as caught:
        platform.run(*arguments)
    return caught.value.code, caught.value.error["category"]


def test_where_the_name_comes_from(platform: Platform, project: Path) -> None:
    assert platform.run("deploy", str(project))["project"] == "own-name"
    (project / "fastmcp.toml").write_text('[project]\nname = "from-config"\n')
    assert platform.run("deploy", str(project))["project"] == "from-config"
    assert platform.run("deploy", str(project), "--name", "typed")["project"] == "typed"
    (project / "fastmcp.toml").unlink()
    # Nothing of this can be part of a host name.
    (project / "server.py").write_text(SERVER.replace("Own Name", "東京"))
    assert platform.run("deploy", str(project))["project"] == "the-folder"
    # A name nobody typed does not take over a project that came from elsewhere.
    other = Path(shutil.copytree(project, project.parent / "elsewhere" / "the-folder"))
    assert refused(platform, "deploy", str(other)) == (2, "input")
    for name in ("own-name", "from-config", "typed", "the-folder"):
        assert platform.run("destroy", name)["destroyed"] is True
    assert platform.run("list")["projects"] == []


def test_the_answer_is_one_object_and_an_unchanged_deploy_says_so(platform: Platform, project: Path) -> None:
    command = homeport(platform, "deploy", str(project), "--name", "answers")
    stdout, stderr = command.communicate(timeout=60)
    answer = json.loads(stdout)
    assert set(answer) == DEPLOY_KEYS
    assert (answer["release"], answer["changed"], answer["target"]) == ("v1", True, "local")
    assert answer["mcp_url"] == f"{answer['url']}/mcp"
    assert answer["sse_url"] == f"{answer['url']}/sse"
    names = ["read", "lock", "layer", "inspect", "bundle", "plan", "apply"]
    assert [stage["name"] for stage in answer["stages"]] == names
    # Between the stages stands what runs, and what of it is served.
    assert [word for line in stderr.splitlines() if (word := line.split()[0]) in names] == names
    again = platform.run("deploy", str(project), "--name", "answers")
    assert (again["changed"], again["release"], again["url"]) == (False, "v1", answer["url"])
    assert all(stage["cached"] for stage in again["stages"] if stage["name"] not in ("read", "plan"))
    assert states(platform, "answers") == {"v1": "active"}


def test_variables(platform: Platform, project: Path) -> None:
    first = platform.deploy(project, name="variables", env={"MODE": "a=b c", "EMPTY": ""})
    assert call(first.url, "variable", name="MODE") == "a=b c"
    assert call(first.url, "variable", name="EMPTY") == ""
    for name in ("HOMEPORT_HOME", "AWS_SECRET_ACCESS_KEY"):
        assert call(first.url, "variable", name=name) == "not set"
    second = platform.deploy(project, name="variables", env={"MODE": "other"})
    assert (second.release, second.changed) == ("v2", True)
    assert call(first.url, "variable", name="MODE") == "other"
    (project / "fastmcp.toml").write_text('[environment]\nMODE = "written"\nLEVEL = "3"\n')
    platform.deploy(project, name="variables", env={"MODE": "typed"})
    assert [call(first.url, "variable", name=name) for name in ("MODE", "LEVEL")] == ["typed", "3"]


def test_a_dry_run_changes_nothing(platform: Platform, project: Path) -> None:
    planned = platform.run("deploy", str(project), "--name", "planned", "--dry-run")
    assert (planned["changed"], [step["action"] for step in planned["plan"]]) == (True, ["create", "start", "switch"])
    assert refused(platform, "status", "planned") == (4, "not-found")
    deployed = platform.deploy(project, name="planned")
    again = platform.run("deploy", str(release(project, 2)), "--name", "planned", "--dry-run")
    assert [step["action"] for step in again["plan"]] == ["start", "switch", "drain"]
    assert states(platform, "planned") == {"v1": "active"}
    assert call(deployed.url, "version") == "1"


def test_rollback_builds_nothing(platform: Platform, project: Path) -> None:
    url = ""
    for number in (1, 2, 3):
        url = platform.deploy(release(project, number), name="rolled").url
    shutil.rmtree(project)
    built = {
        path: path.stat().st_mtime_ns for part in ("bundles", "layers") for path in (platform.home / part).iterdir()
    }
    assert platform.run("rollback", "rolled")["release"] == "v2"
    assert call(url, "version") == "2"
    assert platform.run("rollback", "rolled", "v1")["release"] == "v1"
    assert call(url, "version") == "1"
    assert platform.run("rollback", "rolled", "3")["release"] == "v3"
    assert call(url, "version") == "3"
    assert platform.run("rollback", "rolled", "v3")["changed"] is False
    assert states(platform, "rolled") == {"v3": "active", "v2": "inactive", "v1": "inactive"}
    assert built == {path: path.stat().st_mtime_ns for path in built}


def test_what_is_not_there(platform: Platform, project: Path) -> None:
    platform.deploy(project, name="alone")
    for command in ("status", "versions", "rollback", "logs", "destroy", "tools"):
        assert refused(platform, command, "nobody") == (4, "not-found"), command
    assert refused(platform, "call", "nobody", "version") == (4, "not-found")
    assert refused(platform, "connect", "nobody", "--client", "cursor") == (4, "not-found")
    assert refused(platform, "rollback", "alone", "v7") == (4, "not-found")
    assert refused(platform, "rollback", "alone") == (4, "not-found")
    assert refused(platform, "rollback", "alone", "seven") == (2, "input")
    url = platform.run("status", "alone")["url"]
    assert platform.run("destroy", "alone")["destroyed"] is True
    assert not (platform.home / "projects" / "alone").exists()
    assert refused(platform, "destroy", "alone") == (4, "not-found")
    with pytest.raises(ConnectionRefusedError):
        call(url, "version")
    assert platform.deploy(project, name="alone").release == "v1"


def test_a_release_that_does_not_come_up_is_recorded_and_never_serves(platform: Platform, project: Path) -> None:
    (project / "data.json").write_text("first")
    first = platform.deploy(project, name="warm")
    (project / "data.json").write_text("second")
    with pytest.raises(CommandFailedError) as caught:
        platform.deploy(release(project, 2, FAILS_TO_SERVE), name="warm")
    assert caught.value.code == 1
    assert "the database is not there" in caught.value.error["message"]
    assert "server.py" in caught.value.error["message"]
    assert call(first.url, "version") == "1"
    assert call(first.url, "read", path="data.json") == "first"
    status = platform.run("status", "warm")
    assert status["release"] == "v1"
    assert "the database is not there" in status["last_error"]
    failed, active = platform.run("versions", "warm")["versions"]
    assert (failed["release"], failed["state"], active["state"]) == ("v2", "failed", "active")
    assert "the database is not there" in failed["error"]
    assert refused(platform, "rollback", "warm", "v2") == (2, "input")
    assert platform.deploy(release(project, 3), name="warm").release == "v3"
    assert platform.run("status", "warm")["last_error"] is None
    assert platform.run("rollback", "warm")["release"] == "v1"
    with pytest.raises(CommandFailedError):
        platform.deploy(release(project, 2, FAILS_TO_SERVE), name="never")
    assert refused(platform, "status", "never") == (4, "not-found")
    assert not (platform.home / "projects" / "never").exists()


def test_what_the_server_writes_outlives_releases(platform: Platform, project: Path) -> None:
    (project / "data.json").write_text("first")
    (project / "words.txt").write_text("first")
    url = platform.deploy(project, name="writes").url
    call(url, "write", path="notes.txt", text="mine")
    call(url, "write", path="beside.txt", text="mine too", beside_the_file=True)
    call(url, "write", path="words.txt", text="changed by the server")
    (project / "data.json").write_text("second")
    (project / "words.txt").write_text("second")
    platform.deploy(release(project, 2), name="writes")
    kept = {"notes.txt": "mine", "beside.txt": "mine too", "words.txt": "changed by the server"}
    assert {name: call(url, "read", path=name) for name in kept} == kept
    assert call(url, "read", path="data.json") == "second"
    platform.run("rollback", "writes")
    assert call(url, "version") == "1"
    assert {name: call(url, "read", path=name) for name in kept} == kept
    assert call(url, "read", path="data.json") == "first"
    (project / "data.json").unlink()
    platform.deploy(release(project, 3), name="writes")
    assert call(url, "read", path="data.json") == "no such file"
    assert {name: call(url, "read", path=name) for name in kept} == kept


def test_a_new_project_passes_over_ports_that_are_taken(platform: Platform, project: Path) -> None:
    port = urlsplit(platform.deploy(project, name="lower").url).port or 0
    with contextlib.ExitStack() as taken:
        for number in range(port + 1, port + 4):
            # The port may be another program's already, which is as good.
            with contextlib.suppress(OSError):
                taken.enter_context(socket.create_server(("127.0.0.1", number)))
        higher = platform.deploy(project, name="higher").url
        assert call(higher, "version") == "1"
        assert urlsplit(higher).port not in range(port, port + 4)


def test_only_the_owner_may_look(platform: Platform, project: Path) -> None:
    platform.deploy(project, name="private")
    folders = [platform.home, platform.home / "bundles", platform.home / "projects" / "private" / "files"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    for name in ("store.db", "platform.sock"):
        assert stat.S_IMODE((platform.home / name).stat().st_mode) == 0o600, name


def test_logs(platform: Platform, project: Path) -> None:
    url = platform.deploy(project, name="talks").url
    call(url, "write", path="a.txt", text="a")
    platform.deploy(release(project, 2), name="talks")
    call(url, "write", path="b.txt", text="b")
    wait_for(lambda: len(logs(platform, "talks", "--grep", "^writes ")) == 2)
    assert [record["message"] for record in logs(platform, "talks", "--grep", "^writes ")] == [
        "writes a.txt",
        "writes b.txt",
    ]
    assert [r["message"] for r in logs(platform, "talks", "--grep", "^writes", "--release", "v2")] == ["writes b.txt"]
    assert logs(platform, "talks", "--grep", "^writes", "--since", "0s") == []
    assert len(logs(platform, "talks", "--grep", "^writes", "--since", "1h")) == 2
    assert logs(platform, "talks", "--grep", "^writes", "--level", "error") == []
    following = homeport(platform, "logs", "talks", "--follow", "--grep", "^writes ")
    assert following.stdout is not None
    with following:
        seen = [json.loads(following.stdout.readline())["message"] for _ in range(2)]
        call(url, "write", path="c.txt", text="c")
        platform.run("rollback", "talks")
        call(url, "write", path="d.txt", text="d")
        seen += [json.loads(following.stdout.readline())["message"] for _ in range(2)]
        following.kill()
    assert seen == [f"writes {name}.txt" for name in "abcd"]


def logs(platform: Platform, *arguments: str) -> list[dict[str, Any]]:
    command = homeport(platform, "logs", *arguments)
    stdout, stderr = command.communicate(timeout=60)
    assert command.returncode == 0, stderr
    return [json.loads(line) for line in stdout.splitlines()]
