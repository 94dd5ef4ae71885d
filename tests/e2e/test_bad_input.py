"""Tests that what goes wrong in a deploy says so, with an exit code; the old release serves on and nothing half-written
stays.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ..small_disks import fill, small_disk
from ..support import SERVERS, CommandFailedError, Deployment, Platform, with_packages
from .probing import DEADLINE_S, call, half_written, homeport, processes, wait_for, workers

# The number of calls is larger than that of the records for which a full disk has room.
CALLS = 60
BOTH = ("steady", "fresh")
GOOD = (SERVERS / "mcp2_lowlevel" / "server.py").read_text()
EMPTY_SERVER = "from mcp.server import MCPServer\n\nmcp = MCPServer('empty')\n"
TOOL = "\n\n@mcp.tool()\ndef ping() -> str:\n    return 'pong'\n"
# Waits while it is loaded: in the process that inspects it, or in a worker of a project.
WAITS = """
import os
import time
from pathlib import Path

inspected = os.environ["HOMEPORT_PROJECT"] == "inspection"
if inspected == (os.environ["WAITS_IN"] == "inspect"):
    Path(os.environ["REACHED"]).touch()
    time.sleep(600)
"""


@dataclass(frozen=True)
class Steady:
    """Is a project that serves. A failure is tried as its next release, and as a project of its own where
    that differs.
    """

    platform: Platform
    deployment: Deployment

    def refuse(self, folder: Path | str, names: Sequence[str] = ("steady",)) -> CommandFailedError:
        """Fails if a deploy does not, or if it leaves anything behind."""
        before = self.seen()
        failures = []
        for name in names:
            with pytest.raises(CommandFailedError) as caught:
                self.platform.run("deploy", str(folder), "--name", name)
            failures.append(caught.value)
        assert all((each.code, each.error) == (failures[0].code, failures[0].error) for each in failures)
        self.check_unharmed(before)
        return failures[0]

    def check_unharmed(self, before: object) -> None:
        assert call(self.deployment.url, "add", a=20, b=22) == "42"
        assert self.seen() == before
        assert half_written(self.platform) == []

    def seen(self) -> object:
        """Returns everything that a refused deploy may not change."""
        platform = self.platform
        call(self.deployment.url, "add", a=1, b=1)
        # An inspected server ends with the answer, give or take the moment that a process needs.
        wait_for(lambda: len(workers(platform)) == 1)
        return (
            platform.run("list")["projects"],
            workers(platform),
            sorted(path.name for path in (platform.home / "bundles").iterdir()),
            sorted(path.name for path in (platform.home / "projects").iterdir()),
        )


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steady]:
    platform = Platform(with_packages(tmp_path_factory.mktemp("refused") / "home"))
    folder = make(tmp_path_factory.mktemp("good"), {"server.py": GOOD})
    yield Steady(platform, platform.deploy(folder, name="steady"))
    platform.stop()
    assert processes(platform) == {}


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"requirements.txt": "mcp>=2\n", **files}.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({}, "no Python file", "homeport deploy "),
        ({"server.py": ""}, "server.py is empty", "FastMCP("),
        ({"server.py": "import os\ndef f(:\n"}, "server.py:2:7: invalid syntax\n    def f(:\n          ^", "line 2"),
    ],
)
def test_a_server_file_that_cannot_be_one(
    steady: Steady, tmp_path: Path, files: dict[str, str], message: str, hint: str
) -> None:
    refused = steady.refuse(make(tmp_path, files))
    assert (refused.code, refused.error["category"]) == (2, "source")
    assert message in refused.error["message"]
    assert hint in refused.error["hint"]


def test_a_path_that_does_not_exist(steady: Steady, tmp_path: Path) -> None:
    refused = steady.refuse(tmp_path / "none.py")
    assert (refused.code, refused.error["category"]) == (2, "source")
    assert refused.error["message"] == f"{tmp_path / 'none.py'} does not exist"


@pytest.mark.parametrize(
    ("config", "category", "message", "hint"),
    [
        ("[project]\nname = = 1\n", "config", "fastmcp.toml:2:8: ", "quotes"),
        ('[deployment]\nentrypont = "server.py"\n', "config", "fastmcp.toml:2: unknown key", "entrypoint"),
        ('[deployment]\nentrypont = "server.py"\n', "config", 'did you mean "entrypoint"?', ""),
        ("[deployment]\nstart_timeout_s = true\n", "config", "fastmcp.toml:2: ", ""),
        ('[project]\nname = "Bad Name"\n', "config", 'for example "bad-name"', ""),
        ('[deployment]\nentrypoint = "main.py"\n', "source", "main.py does not exist", ".py file"),
    ],
)
def test_a_configuration_that_is_wrong(
    steady: Steady, tmp_path: Path, config: str, category: str, message: str, hint: str
) -> None:
    refused = steady.refuse(make(tmp_path, {"server.py": GOOD, "fastmcp.toml": config}))
    assert (refused.code, refused.error["category"]) == (2, category)
    assert message in refused.error["message"]
    assert hint in (refused.error["hint"] or "")


def test_a_name_that_is_no_dns_label(steady: Steady, tmp_path: Path) -> None:
    before = steady.seen()
    for name in ("Bad_Name", "a" * 64, "../a", ""):
        with pytest.raises(CommandFailedError) as caught:
            steady.platform.run("deploy", str(make(tmp_path, {"server.py": GOOD})), "--name", name)
        assert (caught.value.code, caught.value.error["category"]) == (2, "input")
        assert "DNS label" in caught.value.error["message"]
    steady.check_unharmed(before)


def test_a_secret_that_is_not_set(steady: Steady, tmp_path: Path) -> None:
    config = '[environment]\nAPI_KEY = "key ${secrets.WEATHER_KEY}"\n'
    folder = make(tmp_path, {"server.py": GOOD, "fastmcp.toml": config})
    before = steady.seen()
    with pytest.raises(CommandFailedError) as caught:
        steady.platform.run("deploy", str(folder), "--name", "steady")
    assert (caught.value.code, caught.value.error["category"]) == (2, "config")
    assert "WEATHER_KEY, which is not set" in caught.value.error["message"]
    assert "set-secret" in caught.value.error["hint"]
    steady.check_unharmed(before)


def test_an_object_that_is_not_there(steady: Steady, tmp_path: Path) -> None:
    config = '[deployment]\nentrypoint = "server.py:nope"\n'
    refused = steady.refuse(make(tmp_path, {"server.py": GOOD, "fastmcp.toml": config}), BOTH)
    assert (refused.code, refused.error["category"]) == (1, "inspect")
    assert "server.py has no 'nope'" in refused.error["message"]
    assert "server.py:server" in refused.error["hint"]


def test_an_import_that_raises_shows_the_persons_own_frames(steady: Steady, tmp_path: Path) -> None:
    helper = "import json\n\n\ndef read():\n    return json.loads('{')\n"
    refused = steady.refuse(
        make(tmp_path, {"server.py": "import helper\n\nhelper.read()\n", "helper.py": helper}), BOTH
    )
    assert (refused.code, refused.error["category"]) == (1, "inspect")
    message = refused.error["message"]
    assert "server.py raised JSONDecodeError" in message
    frames = [line.strip() for line in message.splitlines() if line.strip().startswith("File ")]
    assert frames == ['File "server.py", line 3, in <module>', 'File "helper.py", line 5, in read']


def test_a_package_that_is_not_required(steady: Steady, tmp_path: Path) -> None:
    refused = steady.refuse(make(tmp_path, {"server.py": f"import numpy\n{EMPTY_SERVER}"}), BOTH)
    assert (refused.code, refused.error["category"]) == (1, "inspect")
    assert "numpy" in refused.error["message"]
    assert 'File "server.py", line 1' in refused.error["message"]


def test_a_server_that_ends_its_process(steady: Steady, tmp_path: Path) -> None:
    source = "import os\n\nprint('giving up', flush=True)\nos._exit(3)\n"
    refused = steady.refuse(make(tmp_path, {"server.py": source}), BOTH)
    assert (refused.code, refused.error["category"]) == (1, "inspect")
    assert "exit 3" in refused.error["message"]
    assert "giving up" in refused.error["message"]


def test_an_import_that_hangs_names_the_line(steady: Steady, tmp_path: Path) -> None:
    files = {"server.py": "import time\n\ntime.sleep(600)\n", "fastmcp.toml": "[deployment]\nstart_timeout_s = 1\n"}
    refused = steady.refuse(make(tmp_path, files), BOTH)
    assert (refused.code, refused.error["category"]) == (1, "inspect")
    assert "within 1 s; it waits in server.py, line 3" in refused.error["message"]
    assert "start_timeout_s" in refused.error["hint"]


@pytest.mark.parametrize(
    ("requirements", "message", "hint"),
    [
        ("mcp>=2\nno-such-package-of-homeport\n", "no-such-package-of-homeport was not found", "spelled"),
        ("mcp>=2\npydantic<1\n", "pydantic<1", "fit together"),
        ("mcp>=2\npywin32\n" if sys.platform != "win32" else "uvloop\n", "no wheels", "requirements.txt"),
        ("mcp>=2\n!!!\n", "requirements.txt", ""),
    ],
)
def test_requirements_that_cannot_be_had(
    steady: Steady, tmp_path: Path, requirements: str, message: str, hint: str
) -> None:
    refused = steady.refuse(make(tmp_path, {"server.py": GOOD, "requirements.txt": requirements}))
    assert refused.code in (1, 2)
    assert message in refused.error["message"]
    assert hint in (refused.error["hint"] or "")


@pytest.mark.parametrize("name", ["steady", pytest.param("fresh", marks=pytest.mark.whole)])
@pytest.mark.parametrize("stage", ["inspect", "apply"])
def test_ctrl_c_while_the_server_loads(steady: Steady, tmp_path: Path, stage: str, name: str) -> None:
    before = steady.seen()
    reached = tmp_path / "reached"
    folder = make(tmp_path, {"server.py": f"{WAITS}\n{GOOD}"})
    variables = [argument for pair in (f"WAITS_IN={stage}", f"REACHED={reached}") for argument in ("--env", pair)]
    deploying = homeport(steady.platform, "deploy", str(folder), "--name", name, *variables)
    wait_for(reached.exists)
    interrupt(deploying)
    if stage == "apply":
        # The bundle was finished before; it is right, and the next deploy of the same content uses it.
        built = sorted((steady.platform.home / "bundles").iterdir(), key=lambda path: path.stat().st_ctime)
        shutil.rmtree(built[-1])
    # The platform notices that nobody waits any more.
    wait_for(lambda: [project["project"] for project in steady.platform.api.projects()] == ["steady"])
    steady.check_unharmed(before)


@pytest.mark.parametrize("stage", ["inspect", "apply"])
def test_the_platform_is_stopped_while_the_server_loads(steady: Steady, tmp_path: Path, stage: str) -> None:
    reached = tmp_path / "reached"
    folder = make(tmp_path, {"server.py": f"{WAITS}\n{GOOD}"})
    variables = [argument for pair in (f"WAITS_IN={stage}", f"REACHED={reached}") for argument in ("--env", pair)]
    deploying = homeport(steady.platform, "deploy", str(folder), "--name", "fresh", *variables)
    wait_for(reached.exists)
    steady.platform.stop()
    assert processes(steady.platform) == {}
    stdout, stderr = deploying.communicate(timeout=DEADLINE_S)
    assert deploying.returncode == 1, stderr
    assert "interrupted" in json.loads(stdout)["error"]["message"]
    # A command, which starts the platform again.
    assert [project["project"] for project in steady.platform.run("list")["projects"]] == ["steady"]
    assert call(steady.deployment.url, "add", a=1, b=1) == "2"
    assert half_written(steady.platform) == []


@pytest.mark.parametrize("after", ["read", "lock"])
def test_ctrl_c_while_packages_are_resolved_or_installed(steady: Steady, tmp_path: Path, after: str) -> None:
    before = steady.seen()
    requirements = {"read": "mcp>=2\nsix<1.16\n", "lock": "mcp>=2\nsix\n"}[after]
    layers = sorted((steady.platform.home / "layers").iterdir())
    folder = make(tmp_path, {"server.py": GOOD, "requirements.txt": requirements})
    deploying = homeport(steady.platform, "deploy", str(folder), "--name", "fresh")
    assert deploying.stderr is not None
    while (line := deploying.stderr.readline()) and not line.startswith(f"  {after}"):
        pass
    interrupt(deploying)
    assert sorted((steady.platform.home / "layers").iterdir()) == layers
    steady.check_unharmed(before)


def interrupt(command: subprocess.Popen[str]) -> None:
    """Interrupts a command: Ctrl-C reaches every process of the terminal's group."""
    os.killpg(command.pid, signal.SIGINT)
    stdout, stderr = command.communicate(timeout=DEADLINE_S)
    assert command.returncode == 130, stderr
    assert json.loads(stdout)["error"]["category"] == "interrupted"
    assert "Traceback" not in stderr


def test_two_deploys_of_one_project_at_once(steady: Steady, tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(2)]
    for folder in folders:
        folder.mkdir()
        # Slow enough to load that both are under way at once.
        source = f"import time\ntime.sleep(0.5)\n{GOOD}\n# {folder.name}\n"
        make(folder, {"server.py": source})
    commands = [homeport(steady.platform, "deploy", str(folder), "--name", "both") for folder in folders]
    answers = [json.loads(command.communicate(timeout=DEADLINE_S)[0]) for command in commands]
    codes = [command.returncode for command in commands]
    assert set(codes) <= {0, 3}
    assert 0 in codes
    done = [answer for answer in answers if answer["ok"]]
    assert sorted(answer["release"] for answer in done) == [f"v{number + 1}" for number in range(len(done))]
    assert all(answer["error"]["category"] == "busy" for answer in answers if not answer["ok"])
    assert call(done[0]["url"], "add", a=1, b=2) == "3"
    assert half_written(steady.platform) == []
    versions = steady.platform.run("versions", "both")["versions"]
    assert [version["state"] for version in versions].count("active") == 1
    steady.platform.run("destroy", "both")


def test_a_port_that_another_program_has_taken(steady: Steady, tmp_path: Path) -> None:
    platform, name = steady.platform, "elsewhere"
    folder = make(tmp_path, {"server.py": GOOD})
    other = platform.deploy(folder, name=name)
    platform.stop()
    port = urlsplit(other.url).port
    with socket.create_server(("127.0.0.1", port or 0)):
        platform.run("platform", "start")
        down = platform.run("status", name)
        assert down["state"] == "down"
        assert down["last_error"] == f"port {port} is taken by another program"
        assert call(steady.deployment.url, "add", a=1, b=1) == "2"
        (folder / "server.py").write_text(f"{GOOD}\n# edited\n")
        with pytest.raises(CommandFailedError) as caught:
            platform.deploy(folder, name=name)
        assert (caught.value.code, caught.value.error["category"]) == (1, "platform")
        assert f"port {port}" in caught.value.error["message"]
        assert str(port) in caught.value.error["hint"]
    wait_for(lambda: platform.api.status(name)["state"] != "down")
    assert call(other.url, "add", a=1, b=2) == "3"
    assert platform.run("status", name)["last_error"] is None
    platform.run("destroy", name)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 256) as folder:
        yield folder


@pytest.mark.whole
def test_a_full_disk(disk: Path, tmp_path: Path) -> None:
    platform = Platform(disk / "home")
    (tmp_path / "project").mkdir()
    folder = make(tmp_path / "project", {"server.py": GOOD})
    try:
        serving = platform.deploy(folder, name="full")
        filler = fill(disk)
        # Each call writes its record into a log that has no room, but for what is left of a page.
        for number in range(CALLS):
            assert call(serving.url, "add", a=number, b=1) == str(number + 1)
        (folder / "server.py").write_text(f"{GOOD}\n# edited\n")
        for name in ("full", "fresh"):
            with pytest.raises(CommandFailedError) as caught:
                platform.deploy(folder, name=name)
            assert caught.value.code == 1
            assert "disk is full" in caught.value.error["message"]
            assert "free" in caught.value.error["hint"].lower()
        assert half_written(platform) == []
        assert call(serving.url, "add", a=1, b=2) == "3"
        assert [version["release"] for version in platform.run("versions", "full")["versions"]] == ["v1"]
        assert [project["project"] for project in platform.run("list")["projects"]] == ["full"]
        filler.unlink()
        assert platform.deploy(folder, name="full").release == "v2"
        assert call(serving.url, "add", a=1, b=3) == "4"
        lines = wait_for(lambda: said(platform, "full", "not in this log"))
        assert int(lines[0]["message"].rpartition(" ")[2]) > CALLS / 2
        wait_for(lambda: said(platform, "full", "tools/call add")[-1]["release"] == "v2")
    finally:
        platform.stop()


def said(platform: Platform, project: str, text: str) -> list[dict[str, Any]]:
    reading = homeport(platform, "logs", project, "--grep", text)
    return [json.loads(line) for line in reading.communicate(timeout=DEADLINE_S)[0].splitlines()]
