"""Runs the target `kubernetes` against a real cluster: `make kubernetes`, as root on Linux.

Everything is in namespaces of this process's own: nothing of it is left, and nothing outside is touched.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.environments import Clients
from tests.clients.matrix import GREETING, check, check_protocol, client_env
from tests.images.registries import PASSWORD, USER, registry
from tests.soak.clients import SESSIONS, STATELESS, Opened
from tests.soak.load import Caller, Load
from tests.soak.project import SERVER
from tests.support import SERVERS, CommandFailedError, Platform
from tests.targets.container.engines import push_base

from .build_control_plane import built, check_machine
from .control_plane import ControlPlane, control_plane

CONFIG = """
[project]
name = "{name}"
[deployment]
target = "kubernetes"
start_timeout_s = 120
sessions = {sessions}
[deployment.container]
base = "{base}"
[deployment.kubernetes]
image = "{image}"
{settings}
[auth]
mode = "none"
"""
KIND = "fastmcp4"
CLIENTS = ("fastmcp", "mcp1", "mcp2", "ts_client", "ts_sdk")
REDEPLOYS = 3
# It can be inspected here, and does not start in an image.
BREAKS_THERE = """
if os.path.exists("/opt/homeport/start.py"):
    raise SystemExit("cannot start here")
"""
# Its tools do what those of a broken server do.
BROKEN = """
@mcp.tool()
def read() -> str:
    return {}["nothing"]

@mcp.tool()
def leave() -> str:
    os._exit(3)
"""
# The answers of each kind of client between two deploys.
ANSWERS = 20
WAIT_S = 300.0


class Site:
    """Is a person's machine beside the cluster."""

    def __init__(self, folder: Path, base: str) -> None:
        self.folder = folder
        self.base = base
        self.registry = base.partition("/")[0]
        self.homeport = Platform(folder / "home", timeout_s=900)
        self.homeport.environment.update(DOCKER_CONFIG=str(folder), NO_PROXY="*")
        self._edits = 0

    def use(self, kubeconfig: Path) -> None:
        self.homeport.environment["KUBECONFIG"] = str(kubeconfig)

    def project(
        self, name: str, settings: str = "replicas = 2", *, sessions: bool = False, image: str | None = None
    ) -> Path:
        (folder := self.folder / name).mkdir(exist_ok=True)
        self.edit(folder)
        (folder / "requirements.txt").write_text("mcp>=2\n")
        text = CONFIG.format(
            name=name,
            base=self.base,
            image=image or f"{self.registry}/you/{name}",
            settings=settings,
            sessions=str(sessions).lower(),
        )
        (folder / "fastmcp.toml").write_text(text)
        return folder

    def kind(self) -> Path:
        """Returns a project of the kind of server that every client knows."""
        # Its tools keep what they share in its process.
        folder = self.project(KIND, "replicas = 1")
        shutil.copytree(SERVERS / KIND, folder, dirs_exist_ok=True)
        with (folder / "fastmcp.toml").open("a") as config:
            config.write(f'[environment]\nGREETING = "{GREETING}"\n')
        return folder

    def edit(self, project: Path, more: str = "") -> None:
        self._edits += 1
        (project / "server.py").write_text(f"{SERVER}# {self._edits}\n{more}")

    def run(self, *arguments: str) -> Any:
        return self.homeport.run(*arguments, "--target", "kubernetes")

    def deploy(self, project: Path) -> Any:
        return self.run("deploy", str(project))

    def refused(self, *arguments: str) -> Mapping[str, Any]:
        try:
            answer = self.run(*arguments)
        except CommandFailedError as failed:
            return failed.error
        raise AssertionError(f"homeport {' '.join(arguments)} succeeded: {answer}")


def say(*words: object) -> None:
    print(*words, flush=True)


def main() -> None:
    if "--inside" in sys.argv:
        _inside(Path(sys.argv[-1]))
        return
    check_machine()
    binaries = built()
    folder = Path(tempfile.mkdtemp(prefix="homeport-kubernetes-", dir="/var/tmp"))
    try:
        _prepare(folder, binaries)
        own = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command = [sys.executable, "-m", "tests.targets.kubernetes.run", "--inside", str(folder)]
        sys.exit(subprocess.run([*own, *command], check=False).returncode)
    finally:
        if "--keep" not in sys.argv:
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, binaries: Path) -> None:
    """Fetches what comes from outside: inside there is no network."""
    for name in ("registry", "locked"):
        (folder / name).mkdir()
    with registry(folder / "registry") as running:
        base = push_base(running.address, folder / "base")
        site = Site(folder, base)
        site.homeport.run("image", str(site.project("notes")))
        site.homeport.run("image", str(site.kind()))
    for client in CLIENTS:
        client_env(client)
    (folder / "site.json").write_text(json.dumps({"base": base, "binaries": str(binaries)}))


def _inside(folder: Path) -> None:
    told = json.loads((folder / "site.json").read_text())
    site = Site(folder, told["base"])
    (folder / "cluster").mkdir()
    with (
        _registry_again(folder, site),
        control_plane(Path(told["binaries"]), folder / "cluster", site.registry) as cluster,
    ):
        site.use(cluster.kubeconfig())
        say("cluster:", site.homeport.run("doctor", "--target", "kubernetes")["checks"])
        for part in (rollouts, clients, stalls, errors, rights, quota, locked_registry, sessions, removal):
            begun = time.monotonic()
            say(f"{part.__name__}: {part(site, cluster)} ({time.monotonic() - begun:.0f} s)")


@contextmanager
def _registry_again(folder: Path, site: Site) -> Iterator[None]:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with registry(folder / "registry", port=int(site.registry.rpartition(":")[2])):
        yield


def service_url(cluster: ControlPlane, name: str) -> str:
    """Returns the URL of a Service, which the node's kube-proxy leads to its pods."""
    spec = cluster.api("GET", f"/api/v1/namespaces/default/services/{name}")["spec"]
    return f"http://{spec['clusterIP']}"


def load(url: str, clients: Mapping[str, Opened]) -> Load:
    return Load([Caller(kind, url, opened) for kind, opened in clients.items()])


def wait_for_answers(running: Load) -> None:
    """Waits until each client has had more answers."""
    before, end = dict(running.answered), time.monotonic() + WAIT_S
    while any(running.answered[each.kind] < before.get(each.kind, 0) + ANSWERS for each in running.callers):
        assert time.monotonic() < end, (running.answered, running.lost[-5:])
        time.sleep(0.1)


def wait_for_pods(cluster: ControlPlane, name: str, count: int) -> None:
    """Waits until a project has no more pods than that, those that are about to end included."""
    path, end = f"/api/v1/namespaces/default/pods?labelSelector=homeport/project={name}", time.monotonic() + WAIT_S
    while len(pods := cluster.api("GET", path)["items"]) > count:
        assert time.monotonic() < end, [pod["metadata"]["name"] for pod in pods]
        time.sleep(0.1)


def rollouts(site: Site, cluster: ControlPlane) -> str:
    """Runs every kind of client while releases follow each other."""
    project = site.project("notes")
    assert site.deploy(project)["release"] == "v1"
    status = site.run("status", "notes")
    assert (status["state"], status["workers"]) == ("serving", 2), status
    assert not site.deploy(project)["changed"]
    with load(service_url(cluster, "notes"), STATELESS) as running:
        wait_for_answers(running)
        assert len(running.lives) == 2, "two pods answer"
        for number in range(REDEPLOYS):
            site.edit(project)
            assert site.deploy(project)["release"] == f"v{number + 2}"
            wait_for_answers(running)
        assert site.run("rollback", "notes")["release"] == f"v{REDEPLOYS}"
        wait_for_answers(running)
    versions = [(each["release"], each["state"]) for each in site.run("versions", "notes")["versions"]]
    assert versions[1] == (f"v{REDEPLOYS}", "active"), versions
    said = site.homeport.start("logs", "notes", "--target", "kubernetes").wait(60).stdout
    assert '"call"' in said, said[-2000:]
    for lost in running.lost:
        say(f"  lost: {lost.kind}: {lost.reason}")
    return f"{sum(running.answered.values())} answers, {len(running.lost)} lost, {dict(running.closed)} streams closed"


def clients(site: Site, cluster: ControlPlane) -> str:
    """Runs the clients of every SDK, over /mcp and /sse, against a pod."""
    site.deploy(site.kind())
    url, running = service_url(cluster, KIND), Clients()
    seen = 0
    try:
        for client in CLIENTS:
            for case, found in running.observe(client, f"{url}/mcp", f"{url}/sse").items():
                check(found, client)
                check_protocol(found, KIND, client, case)
                seen += 1
    finally:
        running.close()
    site.run("destroy", KIND, "--yes")
    return f"{seen} cases of {len(CLIENTS)} clients"


def stalls(site: Site, _cluster: ControlPlane) -> str:
    project = site.folder / "notes"
    before = site.run("status", "notes")["release"]
    site.edit(project, BREAKS_THERE)
    error = site.refused("deploy", str(project))
    status = site.run("status", "notes")
    assert (status["release"], status["state"]) == (before, "serving"), status
    assert site.run("versions", "notes")["versions"][0]["state"] == "failed"
    site.edit(project)
    return str(error["message"])


def rights(site: Site, cluster: ControlPlane) -> str:
    guest = cluster.kubeconfig("guest", "of-a-guest")
    nowhere = cluster.kubeconfig("admin", namespace="nowhere")
    said = []
    for kubeconfig in (guest, nowhere):
        site.use(kubeconfig)
        error = site.refused("deploy", str(site.project("others")))
        said.append(f"{error['message']} | {error['hint']}")
    site.use(cluster.kubeconfig())
    return "\n  ".join(said)


def errors(site: Site, _cluster: ControlPlane) -> str:
    """Reaches a project through the API, breaks it, ends it by a call, and reads of both in the pods' logs."""
    project = site.project("broken", "replicas = 1")
    site.edit(project, BROKEN)
    site.deploy(project)
    assert site.run("call", "broken", "add", "a=2", "b=40")["content"][0]["text"].startswith("42 v1")
    assert site.refused("call", "broken", "read")["category"] == "tool"
    site.refused("call", "broken", "leave")
    seen = _wait_for(lambda: {each["type"]: each for each in site.run("errors", "broken")["errors"]}, 2)
    assert (seen["KeyError"]["name"], seen["crash"]["name"]) == ("read", "leave"), seen
    number = str(seen["KeyError"]["id"])
    assert site.run("errors", "broken", number, "resolve")["state_release"] == "v1"
    assert [each["type"] for each in site.run("errors", "broken")["errors"]] == ["crash"]
    site.edit(project, BROKEN)
    site.deploy(project)
    assert site.refused("call", "broken", "read")["category"] == "tool"
    back = _wait_for(lambda: site.run("errors", "broken")["errors"], 1)[0]
    assert (str(back["id"]), back["state"], back["state_release"]) == (number, "regressed", "v2"), back
    site.run("destroy", "broken", "--yes")
    return f"{back['type']} in {back['where']} has {back['state']}; {seen['crash']['message']}"


def _wait_for(ask: Callable[[], Any], count: int) -> Any:
    """Returns an answer with so many members: what a pod prints is in its log a moment later."""
    end = time.monotonic() + WAIT_S
    while len(found := ask()) != count:
        assert time.monotonic() < end, found
        time.sleep(0.5)
    return found


def quota(site: Site, cluster: ControlPlane) -> str:
    path = "/api/v1/namespaces/default/resourcequotas"
    cluster.api("POST", path, {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}})
    error = site.refused("deploy", str(site.folder / "notes"))
    cluster.api("DELETE", f"{path}/few")
    assert "exceeded quota" in error["message"], error
    assert site.run("status", "notes")["state"] == "serving"
    return f"{error['message']} | {error['hint']}"


def locked_registry(site: Site, cluster: ControlPlane) -> str:
    """Deploys from a registry that the nodes cannot pull from, and then with the login for it."""
    with registry(site.folder / "locked", login=True) as locked:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        text = json.dumps({"auths": {locked.address: {"auth": login}}})
        (site.folder / "config.json").write_text(text)
        image = f"{locked.address}/you/locked"
        error = site.refused("deploy", str(site.project("locked", image=image)))
        assert "cannot pull the image" in error["message"], error
        secret = {
            "metadata": {"name": "login"},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": text},
        }
        cluster.api("POST", "/api/v1/namespaces/default/secrets", secret)
        project = site.project("locked", 'replicas = 1\npull_secret = "login"', image=image)
        assert site.deploy(project)["release"] == "v1"
        site.run("destroy", "locked", "--yes")
    (site.folder / "config.json").unlink()
    return f"{error['message']} | {error['hint']}"


def sessions(site: Site, cluster: ControlPlane) -> str:
    """Runs a server with sessions in one pod, and then in two that share a volume, each of which continues them."""
    project = site.project("kept", sessions=True)
    site.deploy(project)
    assert site.run("status", "kept")["workers"] == 1
    _make_volume(site, cluster)
    project = site.project("kept", 'replicas = 2\nclaim = "files"', sessions=True)
    site.deploy(project)
    # A session of the pod before, which has not that volume, would end with it.
    wait_for_pods(cluster, "kept", 2)
    with load(service_url(cluster, "kept"), SESSIONS) as running:
        wait_for_answers(running)
        assert len(running.lives) == 2, "two pods answer"
        site.edit(project)
        site.deploy(project)
        wait_for_answers(running)
    for lost in running.lost:
        say(f"  lost: {lost.kind}: {lost.reason}")
    return f"{sum(running.answered.values())} answers, {len(running.lost)} lost"


def _make_volume(site: Site, cluster: ControlPlane) -> None:
    (files := site.folder / "files").mkdir()
    files.chmod(0o777)
    size = {"storage": "1Gi"}
    modes = ["ReadWriteMany"]
    spec = {"capacity": size, "accessModes": modes, "hostPath": {"path": str(files)}, "storageClassName": "by-hand"}
    cluster.api("POST", "/api/v1/persistentvolumes", {"metadata": {"name": "files"}, "spec": spec})
    claim = {"accessModes": modes, "resources": {"requests": size}, "storageClassName": "by-hand"}
    path = "/api/v1/namespaces/default/persistentvolumeclaims"
    cluster.api("POST", path, {"metadata": {"name": "files"}, "spec": claim})


def removal(site: Site, cluster: ControlPlane) -> str:
    """Destroys the projects, and looks whether anything of them is left."""
    gone = [line for name in ("notes", "kept") for line in site.run("destroy", name, "--yes")["removed"]]
    left = []
    for kind in ("pods", "services", "secrets", "configmaps", "apis/apps/v1/replicasets", "apis/apps/v1/deployments"):
        group, _, plural = kind.rpartition("/")
        path = f"/{group or 'api/v1'}/namespaces/default/{plural}?labelSelector=homeport/project"
        left += [each["metadata"]["name"] for each in cluster.api("GET", path)["items"]]
    assert not left, left
    assert site.run("list")["projects"] == []
    return ", ".join(gone)


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    main()
