"""Deploys to a stand-in for a cluster, and does all that a person does then with the project."""

from __future__ import annotations

import base64
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from platform_cli.clients.mcp_client import list_tools
from platform_cli.config.image_reference import parse_reference
from platform_cli.home import Home
from platform_cli.images.push import push_image
from platform_cli.images.registry import Repository
from platform_cli.platform_client.connections import keep_token
from tests.clients.inspecting import inspecting
from tests.images.bases import tiny_base
from tests.images.registries import registry
from tests.runtime.conftest import python_with
from tests.runtime.hosts.container.images import make_image, serving, start
from tests.runtime.workers import MCP2
from tests.support import SERVERS, SMALLEST, CommandFailedError, Platform, with_packages

from .stand_in import READY, Object, StandIn, condition, logged, logged_line, stand_in, waits

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
ADD = """
@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b
"""
SECRET = "a value that only a Secret has"
CONFIG = """
[project]
name = "notes"
[deployment]
target = "kubernetes"
[deployment.container]
base = "{base}"
[deployment.kubernetes]
image = "{registry}/you/notes"
{settings}
[environment]
API_KEY = "${{secrets.API_KEY}}"
"""


@dataclass
class Site:
    """Is a person's machine with a project, whose kubeconfig leads to `cluster`."""

    homeport: Platform
    cluster: StandIn
    base: str
    registry: str
    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "server.py"

    def configure(self, settings: str = "replicas = 2") -> None:
        text = CONFIG.format(base=self.base, registry=self.registry, settings=settings)
        (self.folder / "fastmcp.toml").write_text(text)

    def edit(self) -> None:
        self.source.write_text(self.source.read_text() + "# changed\n")

    def run(self, *arguments: str) -> Any:
        return self.homeport.run(*arguments, "--target", "kubernetes")

    def deploy(self, *arguments: str) -> Any:
        return self.run("deploy", str(self.folder), *arguments)

    def deployment(self) -> Any:
        return self.cluster.objects["Deployment", "notes"]

    def refused(self, *arguments: str) -> Any:
        """Returns the error of a command that has to fail."""
        with pytest.raises(CommandFailedError) as failed:
            self.run(*arguments)
        return failed.value.error


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, str, str]]:
    folder = tmp_path_factory.mktemp("machine")
    with registry(tmp_path_factory.mktemp("registry")) as running:
        base = f"{running.address}/base/python:1"
        image, blobs = tiny_base(folder, environment=["PATH=/usr/bin", f"PYTHON_VERSION={PYTHON}.1"])
        push_image(image, parse_reference(base), blobs)
        homeport = Platform(with_packages(folder / "home"))
        homeport.environment["DOCKER_CONFIG"] = str(folder)
        yield homeport, base, running.address


@pytest.fixture
def site(machine: tuple[Platform, str, str], tmp_path: Path) -> Iterator[Site]:
    homeport, base, address = machine
    (folder := tmp_path / "project").mkdir()
    for file in ("server.py", "requirements.txt"):
        (folder / file).write_bytes((SERVERS / SMALLEST / file).read_bytes())
    with stand_in() as cluster:
        homeport.environment["KUBECONFIG"] = str(cluster.kubeconfig(tmp_path))
        made = Site(homeport, cluster, base, address, folder)
        made.configure()
        made.run("set-secret", "API_KEY", SECRET, "--project", "notes")
        yield made


def raised(message: str, function: str, release: str = "v1") -> str:
    """Returns a log with the record of an error."""
    frame = {"file": "server.py", "function": function, "line": 7, "own": True}
    error = {"type": "KeyError", "message": message, "method": "tools/call", "name": "find", "frames": [frame]}
    return logged_line({"error": error, "time": 1.0, "project": "notes", "release": release})


def names_of(cluster: StandIn) -> set[str]:
    return {f"{kind} {name}" for kind, name in cluster.objects if kind not in ("Pod", "ReplicaSet")}


def test_a_deploy_makes_what_the_project_needs_and_another_changes_nothing(site: Site) -> None:
    made = site.deploy()
    assert made["release"] == "v1"
    assert made["url"] == "http://notes.team.svc"
    assert made["auth"] == "token"
    own = {"Deployment notes", "Service notes", "PodDisruptionBudget notes"}
    assert names_of(site.cluster) == {*own, "Secret notes-secrets-1", "Secret notes-token", "Secret notes-relay"}
    container = site.deployment()["spec"]["template"]["spec"]["containers"][0]
    with Repository(parse_reference(container["image"])) as repository:
        assert repository.manifest(container["image"].partition("@")[2]), "it was pushed, and is named by its digest"
    assert not site.deploy()["changed"]
    status = site.run("status", "notes")
    assert (status["release"], status["state"], status["workers"]) == ("v1", "serving", 2)
    assert [each["project"] for each in site.run("list")["projects"]] == ["notes"]


@pytest.mark.whole
def test_no_value_leaves_the_secret(site: Site) -> None:
    token = site.deploy()["token"]
    sent = [body for method, path, body in site.cluster.requests if "/secrets" not in path]
    words = [SECRET, token]
    words += [base64.b64encode(word.encode()).decode() for word in words]
    assert not any(word in body for word in words for body in sent)
    assert base64.b64decode(site.cluster.objects["Secret", "notes-secrets-1"]["data"]["API_KEY"]).decode() == SECRET
    assert token not in base64.b64decode(site.cluster.objects["Secret", "notes-token"]["data"]["hash"]).decode()


@pytest.mark.whole
def test_releases_are_listed_and_rolled_back_with_their_secrets(site: Site) -> None:
    site.deploy()
    site.edit()
    assert site.deploy()["release"] == "v2"
    assert site.run("set-secret", "API_KEY", "another", "--project", "notes")["release"] == "v3"
    versions = {each["release"]: each for each in site.run("versions", "notes")["versions"]}
    assert {name: each["state"] for name, each in versions.items()} == {
        "v1": "inactive",
        "v2": "inactive",
        "v3": "active",
    }
    assert versions["v3"]["reason"] == "secret API_KEY"
    assert [versions[name]["secrets"]["API_KEY"] for name in ("v1", "v2", "v3")] == [1, 1, 2]
    assert versions["v1"]["bundle"] != versions["v2"]["bundle"] == versions["v3"]["bundle"]
    assert not site.run("diff", "notes", "v1", "v2")["breaking"]
    back = site.run("rollback", "notes", "v1")
    assert (back["release"], back["changed"]) == ("v1", True)
    environment = site.deployment()["spec"]["template"]["spec"]["containers"][0]["env"]
    [key] = [each for each in environment if each["name"] == "API_KEY"]
    assert key["valueFrom"]["secretKeyRef"]["name"] == "notes-secrets-1"
    assert site.run("status", "notes")["outdated_secrets"] == ["API_KEY"]
    # A deploy after a rollback is a release of its own.
    assert site.deploy()["release"] == "v4"


STALLS = {
    "image": (waits("ImagePullBackOff", "not found"), [], "cannot pull the image: not found"),
    "crash": (waits("CrashLoopBackOff", restarts=2, last={"exitCode": 1}), [], "no module named nothing"),
    "memory": (waits("CrashLoopBackOff", restarts=2, last={"reason": "OOMKilled"}), [], "needs more memory"),
    "config": (waits("CreateContainerConfigError", 'secret "x" not found'), [], 'secret "x" not found'),
    "node": (
        {"conditions": [condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")]},
        [condition("Progressing", "False", "ProgressDeadlineExceeded")],
        "no node takes pod",
    ),
    "quota": (
        {},
        [
            condition("Progressing", "False", "ProgressDeadlineExceeded"),
            condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: pods"),
        ],
        "exceeded quota: pods",
    ),
    "standstill": ({}, [condition("Progressing", "False", "ProgressDeadlineExceeded")], "0 of 2 pods are ready"),
}


@pytest.mark.whole
@pytest.mark.parametrize(("pods", "conditions", "reason"), STALLS.values(), ids=STALLS)
def test_a_release_that_does_not_start_is_undone_and_says_why(
    site: Site, pods: Object, conditions: list[Object], reason: str
) -> None:
    site.deploy()
    before = site.deployment()["spec"]
    site.cluster.outcome = lambda template: READY if template == before["template"] else pods
    site.cluster.conditions, site.cluster.log = conditions, logged("no module named nothing")
    site.edit()
    error = site.refused("deploy", str(site.folder))
    assert error["category"] == "release"
    assert "v2 of notes does not start, and v1 goes on serving" in error["message"]
    assert reason in error["message"]
    assert error["hint"]
    assert site.deployment()["spec"] == before
    [failed, active] = site.run("versions", "notes")["versions"]
    assert (active["release"], active["state"]) == ("v1", "active")
    assert failed["state"] == "failed"
    assert reason in failed["error"]


@pytest.mark.whole
def test_a_first_release_that_does_not_start_leaves_no_objects_that_serve(site: Site) -> None:
    site.cluster.outcome = lambda _template: waits("ImagePullBackOff", "not found")
    assert "it is removed again" in site.refused("deploy", str(site.folder))["message"]
    assert not [name for name in names_of(site.cluster) if not name.startswith("Secret")]


@pytest.mark.whole
@pytest.mark.parametrize("kind", ["Deployment", "Service", "PodDisruptionBudget"])
def test_objects_of_others_are_neither_adopted_nor_deleted(site: Site, kind: str) -> None:
    site.cluster.put(kind, "notes", {"app.kubernetes.io/managed-by": "homeport"})
    before = dict(site.cluster.objects[kind, "notes"])
    error = site.refused("deploy", str(site.folder))
    assert f"{kind} notes in namespace team is not homeport's" in error["message"]
    assert "kubectl" in error["hint"]
    site.run("destroy", "notes", "--yes")
    assert site.cluster.objects == {(kind, "notes"): before}


@pytest.mark.whole
def test_what_is_destroyed_is_gone(site: Site) -> None:
    site.deploy()
    answer = site.run("destroy", "notes", "--yes")
    assert "Deployment notes" in answer["removed"]
    assert answer["kept"] == [f"its images in {site.registry}/you/notes"]
    assert not site.cluster.objects
    assert site.refused("status", "notes")["category"] == "not-found"


@pytest.mark.whole
def test_the_cluster_refuses_before_anything_is_pushed_or_changed(site: Site) -> None:
    site.cluster.refused = {("patch", "deployments")}
    before = dict(site.cluster.objects)
    error = site.refused("deploy", str(site.folder))
    assert 'cannot patch resource "deployments"' in error["message"]
    assert "auth can-i" in error["hint"]
    assert site.cluster.objects == before


@pytest.mark.whole
def test_logs_are_those_of_all_pods_in_order(site: Site) -> None:
    site.deploy()
    site.cluster.log = logged("one", "two", level="info")
    said = site.homeport.start("logs", "notes", "--target", "kubernetes").wait(60).stdout
    lines = [json.loads(line) for line in said.splitlines()]
    assert [each["message"] for each in lines] == ["one", "one", "two", "two"]


@pytest.mark.whole
def test_metrics_are_of_the_calls_in_the_logs_of_all_pods(site: Site) -> None:
    site.deploy()
    call = {"tool": "add", "client": "desk/1", "status": "ok", "ms": 2.0, "start": "cold"}
    failed = {**call, "status": "error", "kind": "exception", "start": "warm"}
    site.cluster.log = logged("a line") + logged("add: ok", call=call) + logged("add: error", call=failed)
    pods = len(site.cluster.of_kind("Pod"))
    found = site.run("metrics", "notes")
    (row,) = found["rows"]
    assert (row["key"], row["operations"], row["failed"], row["cold"]) == ("add", 2 * pods, pods, pods)
    assert row["kinds"] == {"ok": pods, "exception": pods}
    assert row["p50"] == pytest.approx(2.0, rel=0.05)
    assert [each["key"] for each in site.run("metrics", "notes", "--by", "release")["rows"]] == ["v1"]


@pytest.mark.whole
def test_errors_of_all_pods_are_grouped_and_resolved(site: Site) -> None:
    site.deploy()
    pods = len(site.cluster.of_kind("Pod"))
    site.cluster.log = raised("'x'", "find") + raised("other", "seek") + logged("a line")
    found = {each["message"]: each for each in site.run("errors", "notes")["errors"]}
    assert {message: each["count"] for message, each in found.items()} == {"'x'": pods, "other": pods}
    said = site.homeport.start("logs", "notes", "--target", "kubernetes").wait(60).stdout
    assert {json.loads(line)["message"] for line in said.splitlines()} == {"a line"}, "errors are no lines of the log"

    error = found["'x'"]
    number = str(error["id"])
    whole = site.run("errors", "notes", number)
    assert (whole["where"], whole["first_release"], whole["samples"][0]["frames"][0]["line"]) == (
        "server.py:7",
        "v1",
        7,
    )
    changed = site.run("errors", "notes", number, "resolve")
    assert (changed["state"], changed["state_release"], changed["count"]) == ("resolved", "v1", pods)
    site.run("errors", "notes", str(found["other"]["id"]), "mute")
    assert site.run("errors", "notes")["errors"] == []
    site.edit()
    site.deploy()
    site.cluster.log = raised("'x'", "find", "v2") + raised("other", "seek", "v2")
    (back,) = site.run("errors", "notes")["errors"]
    assert (back["id"], back["state"], back["state_release"]) == (error["id"], "regressed", "v2")
    assert "no error 9" in site.refused("errors", "notes", "9", "mute")["message"]
    site.run("destroy", "notes", "--yes")
    assert not site.cluster.objects, "the states go with the Deployment"


@pytest.mark.whole
def test_states_are_kept_in_no_object_of_others(site: Site) -> None:
    site.deploy()
    site.cluster.log = raised("'x'", "find")
    site.cluster.put("ConfigMap", "notes-errors")
    before = dict(site.cluster.objects["ConfigMap", "notes-errors"])
    (error,) = site.run("errors", "notes")["errors"]
    assert "is not homeport's" in site.refused("errors", "notes", str(error["id"]), "mute")["message"]
    assert site.cluster.objects["ConfigMap", "notes-errors"] == before


@pytest.fixture
def served(site: Site, tmp_path: Path) -> Iterator[Site]:
    """Serves from each pod what an image of this server does, guarded by the project's token."""
    token = site.deploy()["token"]
    python = python_with("mcp>=2")
    root = make_image(tmp_path / "image", MCP2 + ADD, python, auth=None)
    container = serving(start(root, python, HOMEPORT_TOKEN=token))
    site.cluster.served = container.port
    yield site
    container.end()


@pytest.mark.whole
def test_what_only_the_cluster_knows_is_reached_through_it(served: Site) -> None:
    answer = served.run("tools", "notes")
    assert answer["url"] == "http://notes.team.svc/mcp"
    assert "add" in [tool["name"] for tool in answer["tools"]]
    assert served.run("call", "notes", "add", "a=2", "b=40")["content"][0]["text"] == "42"
    assert "HTTP 401" in served.refused("call", "notes", "add", "a=2", "b=40", "--token", "another")["message"]
    served.cluster.refused = {("get", "pods/portforward")}
    error = served.refused("tools", "notes")
    assert 'cannot get resource "pods/portforward"' in error["message"]
    assert "auth can-i" in error["hint"]
    served.cluster.refused = set()
    served.cluster.served = 1
    assert served.refused("tools", "notes")["category"] == "server"
    served.cluster.outcome = lambda _template: waits("ImagePullBackOff", "not found")
    for pod in served.cluster.of_kind("Pod").values():
        pod["status"] = waits("ImagePullBackOff", "not found")
    assert "no pod of notes is ready" in served.refused("tools", "notes")["message"]


@pytest.mark.whole
def test_the_inspector_reaches_a_guarded_project_through_the_cluster(served: Site) -> None:
    with inspecting(served.homeport, "notes", "--target", "kubernetes") as inspector:
        assert inspector.printed["url"] == "http://notes.team.svc/mcp"
        assert "add" in [tool["name"] for tool in list_tools(inspector.url, inspector.headers)]


@pytest.mark.whole
def test_a_new_token_starts_the_pods_anew_in_the_same_release(site: Site) -> None:
    old = site.deploy()["token"]
    hashes = site.cluster.objects["Secret", "notes-token"]["data"]
    answer = site.run("new-token", "notes")
    assert answer["token"] != old
    assert site.cluster.objects["Secret", "notes-token"]["data"] != hashes
    assert [each["release"] for each in site.run("versions", "notes")["versions"]] == ["v1"]
    assert len(site.cluster.of_kind("ReplicaSet")) == 2
    assert "no client tokens" in site.refused("token", "list", "notes")["message"]


@pytest.mark.whole
def test_an_older_cluster_lacks_what_counts_pods(site: Site) -> None:
    site.cluster.absent = {"policy", "autoscaling"}
    site.configure()
    site.deploy()
    assert "PodDisruptionBudget notes" not in names_of(site.cluster)


@pytest.mark.whole
def test_callers_sign_in_at_a_platform(site: Site, tmp_path: Path) -> None:
    platform = Platform(tmp_path / "platform")
    platform.run("platform", "start")
    try:
        issuer = platform.api.platform()["api_url"] or ""
        signs_in = f'[auth]\nmode = "oauth"\nissuer = "{issuer}"\n'
        site.configure(signs_in)
        assert "at which URL" in site.refused("deploy", str(site.folder))["message"]
        keep_token(issuer, platform.run("platform", "token", "create", "laptop")["token"], Home(site.homeport.home))
        site.configure(f'{signs_in}[domains]\nnames = ["notes.example.com"]\n')
        made = site.deploy()
        assert (made["auth"], made["url"]) == ("oauth", "https://notes.example.com")
        (resource,) = platform.run("platform", "resource", "list")["resources"]
        assert (resource["name"], resource["urls"]) == ("notes@notes.example.com", ["https://notes.example.com"])
        image = parse_reference(site.deployment()["spec"]["template"]["spec"]["containers"][0]["image"])
        with Repository(image) as repository:
            layers = json.loads(repository.manifest(image.digest or ""))["layers"]
            app = io.BytesIO(b"".join(repository.pull(layers[-1]["digest"])))
        with tarfile.open(fileobj=app) as tar:
            said = json.load(tar.extractfile("opt/homeport/bundle/issuer.json") or io.BytesIO())
        assert (said["issuer"], said["urls"]) == (issuer, ["https://notes.example.com"])
        assert [key["alg"] for key in said["jwks"]] == ["ES256"]
        assert not site.deploy()["changed"]
        assert "sign_in_url" not in site.run("connect", "notes", "--client", "cursor")
    finally:
        platform.stop()
