"""Projects in containers of a real Docker Engine: what they are, what they see, and how releases follow each other."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.load import Load
from tests.e2e.probing import call, wait_for
from tests.support import CommandFailedError, Deployment

from .conftest import Containers
from .engines import client

pytestmark = pytest.mark.whole

SECRET = "sesame-of-the-container"
SOURCE = '''
import json, os, socket, time
from pathlib import Path
from mcp.server import MCPServer

mcp = MCPServer("contained")
VERSION = "first"

@mcp.tool()
def version() -> str:
    return VERSION

@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b

@mcp.tool()
def hang() -> str:
    Path("hangs").touch()
    time.sleep(600)
    return "never"

@mcp.tool()
def facts() -> str:
    """What this process is, and may do."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    Path("written").write_text("by the server")
    try:
        Path("/opt/homeport/written").write_text("")
        writes = True
    except OSError:
        writes = False
    return json.dumps({
        "uid": os.getuid(), "capabilities": int(status["CapBnd"], 16), "privileges": status["NoNewPrivs"].strip(),
        "writes": writes, "folder": os.getcwd(), "home": str(Path.home()), "secret": os.environ["KEY"],
        "processes": sum(name.isdecimal() for name in os.listdir("/proc")),
        "platform": os.path.exists(os.environ["PLATFORM"]),
    })
'''


@pytest.fixture(scope="module")
def deploy(containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Deployment]:
    folder = tmp_path_factory.mktemp("project")
    settings = 'network = "none"\ncpus = 1.5\n'
    config = f'{settings}\n[environment]\nKEY = "${{secrets.API_KEY}}"\nPLATFORM = "{containers.platform.home}"\n'
    secrets = folder.with_name("secrets.env")
    secrets.write_text(f"API_KEY={SECRET}\n")

    def deployed(source: str = SOURCE) -> Deployment:
        project = containers.project(folder, source, config)
        answer = containers.platform.run("deploy", str(project), "--name", "contained", "--env-file", str(secrets))
        return Deployment(**{field: answer[field] for field in Deployment.__slots__})

    return deployed


@pytest.fixture
def engine(containers: Containers) -> Iterator[Any]:
    with client(containers.address) as asked:
        yield asked


def names(engine: Any) -> list[str]:
    """Returns the releases whose containers there are."""
    return sorted(each["Names"][0].split("-")[-2] for each in engine.containers(all=True))


def test_it_runs_confined_and_no_secret_is_seen_outside(
    containers: Containers, deploy: Callable[..., Deployment], engine: Any
) -> None:
    first = deploy()
    facts = json.loads(call(first.url, "facts"))
    assert (facts["uid"], facts["capabilities"], facts["privileges"]) == (65532, 0, "1")
    assert (facts["writes"], facts["platform"], facts["secret"]) == (False, False, SECRET)
    assert (facts["folder"], facts["home"]) == ("/var/lib/homeport/files", "/var/lib/homeport/home")
    # The zygote and the worker.
    assert facts["processes"] == 2
    assert (containers.platform.home / "projects/contained/files/written").read_text() == "by the server"
    status = containers.platform.run("status", "contained")
    assert (status["target"], status["confined"], status["processes"]) == ("container", True, [])
    [container] = engine.containers(all=True)
    assert engine.inspect_container(container["Id"])["HostConfig"]["NanoCpus"] == 1_500_000_000
    told = [engine.inspect_container(container["Id"]), engine.inspect_image(container["Image"])]
    assert SECRET not in json.dumps([*told, engine.history(container["Image"])])
    assert not deploy().changed


def test_releases_follow_each_other_under_load(deploy: Callable[..., Deployment], engine: Any) -> None:
    deployed = deploy()
    port = urlsplit(deployed.url).port
    assert port
    with Load(port, 4) as load:
        for version in ("second", "third"):
            assert deploy(SOURCE.replace('"first"', f'"{version}"')).changed
            assert call(deployed.url, "version") == version
    assert load.answered
    assert not load.failures
    wait_for(lambda: len(names(engine)) == 1)


def test_rollback_logs_and_a_restart(containers: Containers, deploy: Callable[..., Deployment], engine: Any) -> None:
    deploy(SOURCE.replace('"first"', '"before"'))
    deployed = deploy(SOURCE.replace('"first"', '"after"'))
    containers.platform.run("rollback", "contained")
    assert call(deployed.url, "version") == "before"
    [container] = wait_for(lambda: found if len(found := engine.containers()) == 1 else None)
    containers.platform.run("platform", "restart")
    assert call(deployed.url, "version") == "before"
    assert [each["Id"] for each in engine.containers()] == [container["Id"]], "it continues under the new control plane"
    calls = [record["call"] for record in containers.platform.api.logs("contained", follow=False) if "call" in record]
    assert "version" in [called["tool"] for called in calls]
    engine.kill(container["Id"])
    assert call(deployed.url, "version") == "before"


def test_a_call_that_the_end_of_a_container_cuts_off_has_a_record(
    containers: Containers, deploy: Callable[..., Deployment], engine: Any
) -> None:
    deployed = deploy()
    [container] = wait_for(lambda: found if len(found := engine.containers()) == 1 else None)
    calling = threading.Thread(target=_call_quietly, args=(deployed.url,))
    calling.start()
    wait_for((containers.platform.home / "projects/contained/files/hangs").exists)
    engine.kill(container["Id"])
    calling.join()

    def recorded() -> list[Any]:
        records = containers.platform.api.logs("contained", follow=False)
        return [each["call"]["status"] for each in records if each.get("call", {}).get("tool") == "hang"]

    assert wait_for(recorded) == ["error"]


def _call_quietly(url: str) -> None:
    with contextlib.suppress(Exception):
        call(url, "hang")


def test_one_that_does_not_start_leaves_the_old_one(deploy: Callable[..., Deployment], engine: Any) -> None:
    deployed = deploy(SOURCE.replace('"first"', '"old"'))
    # It is well while it is inspected, where it has no image of its own.
    broken = SOURCE + "\nif Path('/opt/homeport/packages.cdx.json').exists():\n    raise RuntimeError('not here')\n"
    images = len(engine.images())
    with pytest.raises(CommandFailedError, match="not here"):
        deploy(broken)
    assert len(engine.images()) == images
    assert call(deployed.url, "version") == "old"
    wait_for(lambda: len(names(engine)) == 1)


def test_it_does_not_leave_its_containers_unasked(
    containers: Containers, deploy: Callable[..., Deployment], tmp_path: Path
) -> None:
    deploy()
    project = containers.project(tmp_path / "project", SOURCE + "\n")
    with pytest.raises(CommandFailedError, match="runs in containers"):
        containers.platform.run("deploy", str(project), "--name", "contained", "--target", "local", "--env", "KEY=x")


def test_destroy_leaves_no_container_and_no_image(
    containers: Containers, deploy: Callable[..., Deployment], engine: Any
) -> None:
    deploy()
    containers.platform.run("destroy", "contained", "--yes")
    assert engine.containers(all=True) == []
    # That of the base, in which servers are inspected, stays for a while.
    assert engine.images(filters={"label": "homeport.lock"}) == []


def test_without_an_engine_it_says_so(containers: Containers, tmp_path: Path) -> None:
    environment = containers.platform.environment
    address = environment["DOCKER_HOST"]
    environment["DOCKER_HOST"] = f"unix://{tmp_path}/none.sock"
    try:
        project = containers.project(tmp_path / "project", SOURCE)
        with pytest.raises(CommandFailedError, match="does not answer"):
            containers.platform.run("deploy", str(project), "--name", "none")
    finally:
        environment["DOCKER_HOST"] = address
