"""Runs a platform in containers by infra/container/platform's files, with a real Caddy in front, and deploys to it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from platform_cli.infra_files import infra_file
from platform_cli.supervisor.worker import DRAIN_LIMIT_S
from tests.e2e.probing import wait_for
from tests.images.registries import registry
from tests.images.test_engine import Docker
from tests.infra.compose import caddy_layout, compose
from tests.support import SERVERS, SMALLEST, Platform, with_packages
from tests.targets.container.engines import engine, push_base

FILES = infra_file("container/platform")
PROJECT = SERVERS / SMALLEST
DOMAIN = "mcp.localhost"
USER = 65532
STATE = "/var/lib/homeport/state"
# From <linux/sched.h>.
NEWNET = 0x40000000
# What a person does on a laptop, here in a container that reaches Caddy's port.
DEPLOY = "homeport deploy /project --name adds --json >/dev/null"
CALL = "homeport call adds add a=40 b=2"
OVERRIDE = {
    "services": {"network": {"extra_hosts": [f"{DOMAIN}:127.0.0.1", f"adds.{DOMAIN}:127.0.0.1"], "ports": []}},
    "volumes": {"state": {"name": "state"}},
}


def test_no_call_makes_a_network_namespace() -> None:
    """unshare(2), clone(2) and clone3(2) do; the flags of the last are out of a filter's sight."""
    rules = json.loads((FILES / "seccomp.json").read_text())["syscalls"]
    refused = {name: rule for rule in rules for name in rule["names"]}
    [of_clone], [of_unshare] = refused["clone"]["args"], refused["unshare"]["args"]
    assert of_clone == of_unshare
    assert (of_clone["op"], of_clone["value"], of_clone["valueTwo"]) == ("SCMP_CMP_MASKED_EQ", NEWNET, NEWNET)
    # C libraries take clone(2) then.
    assert (refused["clone3"]["errnoRet"], "args" in refused["clone3"]) == (errno.ENOSYS, False)


def test_the_pod_meets_the_schema_and_has_one_volume() -> None:
    service, stateful = yaml.safe_load_all((FILES / "kubernetes.yaml").read_text())
    for each in (service, stateful):
        kubernetes_validate.validate(each, "1.36", strict=True)
    pod = stateful["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > DRAIN_LIMIT_S
    assert pod["securityContext"]["runAsNonRoot"]
    for container in pod["containers"]:
        fences = container["securityContext"]
        assert fences["readOnlyRootFilesystem"]
        assert not fences["allowPrivilegeEscalation"]
        assert fences["capabilities"]["drop"] == ["ALL"]
        assert "limits" in container["resources"]


class Stack:
    """Is the platform in its containers."""

    def __init__(self, docker: Docker, program: Path, address: str, folder: Path) -> None:
        self.docker = docker
        self._home = folder / "laptop"
        self._home.mkdir()
        os.chown(self._home, USER, 0)
        (folder / "override.yaml").write_text(yaml.safe_dump(OVERRIDE))
        files = ("--file", FILES / "compose.yaml", "--file", folder / "override.yaml")
        self._command = [str(part) for part in (program, "--project-directory", FILES, *files)]
        self._environment = {**os.environ, "DOCKER_HOST": address}

    def compose(self, *arguments: str) -> str:
        command = [*self._command, *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def homeport(self, *arguments: str) -> Any:
        """Runs a command in the platform's container."""
        return json.loads(self.compose("exec", "--no-TTY", "homeport", "homeport", *arguments, "--json"))

    def laptop(self, command: str, token: str = "") -> str:
        network = self.compose("ps", "--quiet", "network").strip()
        authority = f"{STATE}/caddy/caddy/pki/authorities/local/root.crt"
        variables = {
            "HOMEPORT_HOME": "/laptop", "HOMEPORT_PLATFORM": f"https://{DOMAIN}", "HOMEPORT_TOKEN": token,
            "SSL_CERT_FILE": authority,
        }  # fmt: skip
        volumes = (f"{PROJECT}:/project:ro", f"{self._home}:/laptop", "state:/var/lib/homeport:ro")
        return self.docker(
            "run", "--rm", "--network", f"container:{network}", "--tmpfs", "/tmp",
            *(f"--volume={volume}" for volume in volumes),
            *(f"--env={name}={text}" for name, text in variables.items()),
            "--entrypoint", "sh", "homeport", "-c", command,
        )  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    program = compose(tmp_path_factory.mktemp("compose"))
    with engine(tmp_path_factory.mktemp("engine")) as address:
        docker = Docker(address)
        with registry(tmp_path_factory.mktemp("registry")) as running:
            base = push_base(running.address, folder / "base", "sh")
            Platform(folder / "home").run("platform", "image", "--base", base, "--output", str(folder / "layout"))
        docker.load(folder / "layout", folder / "homeport.tar")
        docker.load(caddy_layout(folder / "caddy"), folder / "caddy.tar")
        stack = Stack(docker, program, address, folder)
        stack.compose("up", "--detach")
        wait_for(lambda: docker("exec", "homeport-homeport-1", "homeport", "platform", "status").startswith("running"))
        _give_packages(Path(docker("volume", "inspect", "--format", "{{.Mountpoint}}", "state")), folder)
        yield stack
        stack.compose("down", "--volumes", "--timeout", "5")


def _give_packages(volume: Path, folder: Path) -> None:
    """Gives the platform what its first deploy would download: it has no network."""
    packages = with_packages(folder / "packages")
    for part in ("layers", "cache"):
        shutil.copytree(packages / part, volume / "state" / part, dirs_exist_ok=True)
    subprocess.run(["chown", "--recursive", f"{USER}:0", volume / "state"], check=True)


@pytest.mark.whole
def test_a_laptop_deploys_to_it_through_caddy(stack: Stack) -> None:
    assert stack.homeport("platform", "start", "--domain", DOMAIN)["domain"] == DOMAIN
    token = stack.homeport("platform", "token", "create", "laptop")["token"]
    stack.laptop(DEPLOY, token)
    assert "42" in stack.laptop(CALL, token)
    assert stack.homeport("status", "adds")["url"] == f"https://adds.{DOMAIN}"


@pytest.mark.whole
def test_it_is_confined_and_confines(stack: Stack) -> None:
    checks = {check["name"]: check["status"] for check in stack.homeport("doctor")["checks"]}
    assert set(checks.values()) == {"ok"}
    reached = {each["what"]: each["reached"] for each in stack.homeport("doctor")["reach"]}
    assert reached["other processes: signals, memory, names"] == "no"
    settings = json.loads(stack.docker("inspect", "homeport-homeport-1"))[0]
    assert settings["HostConfig"]["ReadonlyRootfs"]
    assert settings["HostConfig"]["CapDrop"] == ["ALL"]
    assert settings["Config"]["User"] == f"{USER}:0"


@pytest.mark.whole
def test_what_has_ended_is_reaped_and_a_restart_serves_again(stack: Stack) -> None:
    before = stack.homeport("platform", "status")["pid"]
    stack.compose("exec", "--no-TTY", "homeport", "sh", "-c", f"kill -KILL {before}")
    wait_for(lambda: stack.homeport("platform", "status").get("pid") not in (None, before))
    wait_for(lambda: "<defunct>" not in stack.docker("top", "homeport-homeport-1"))
    stack.compose("restart", "homeport")
    assert json.loads(stack.docker("inspect", "homeport-homeport-1"))[0]["State"]["ExitCode"] == 0
    wait_for(lambda: stack.homeport("platform", "status")["running"])
    assert "42" in stack.laptop(CALL, stack.homeport("platform", "token", "create", "again")["token"])
