"""Checks the objects that run a project on Kubernetes: they are valid for each version, and without any secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from platform_cli.config.image_reference import parse_reference
from platform_cli.config.load import load_project
from platform_cli.kubernetes.objects import plain_objects
from platform_cli.kubernetes.operator import operator_object
from platform_cli.kubernetes.workload import Workload, workload_of

# The oldest with autoscaling/v2 and the restricted standard that is still met in clusters, and the newest known.
VERSIONS = ("1.25", "1.30", "1.37")
IMAGE = parse_reference("registry.example.com/you/notes@sha256:" + "0" * 64)


def workload(folder: Path, config: str = "", claim: str | None = None) -> Workload:
    (folder / "server.py").write_text("from fastmcp import FastMCP\n\nmcp = FastMCP()\n")
    (folder / "fastmcp.toml").write_text(f'[project]\nname = "notes"\n{config}')
    return workload_of(load_project(folder), "notes", IMAGE, claim)


def of_kind(objects: list[dict[str, Any]], kind: str) -> Any:
    return next((each["spec"] for each in objects if each["kind"] == kind), None)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ("", ["Service", "Deployment"]),
        ("[scaling]\nmin = 2\nmax = 2\n", ["Service", "Deployment", "PodDisruptionBudget"]),
        ("[scaling]\nmax = 4\n", ["Service", "Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"]),
    ],
    ids=["one pod", "two pods", "up to four pods"],
)
def test_objects_are_valid(tmp_path: Path, version: str, config: str, kinds: list[str]) -> None:
    objects = plain_objects(workload(tmp_path, config + '[environment]\nKEY = "${secrets.KEY}"\n', claim="files"))
    assert [each["kind"] for each in objects] == kinds
    for each in objects:
        kubernetes_validate.validate(each, version, strict=True)


def test_secrets_are_references_and_callers_need_a_token(tmp_path: Path) -> None:
    objects = plain_objects(workload(tmp_path, '[environment]\nURL = "https://${secrets.USER}:${secrets.PW}@db"\n'))
    variables = {
        each["name"]: each for each in of_kind(objects, "Deployment")["template"]["spec"]["containers"][0]["env"]
    }
    assert {name for name, each in variables.items() if "value" in each} == {"HOMEPORT_DRAIN_DELAY_S"}
    assert variables["PW"]["valueFrom"] == {"secretKeyRef": {"name": "notes-secrets", "key": "PW"}}
    assert variables["HOMEPORT_TOKEN_HASH"]["valueFrom"]["secretKeyRef"]["name"] == "notes-token"


@pytest.mark.parametrize(
    ("config", "token"),
    [("", {"optional": True}), ('[auth]\nmode = "token"\n', {}), ('[auth]\nmode = "none"\n', None)],
)
def test_only_a_project_that_says_so_is_open(tmp_path: Path, config: str, token: dict[str, bool] | None) -> None:
    env = of_kind(plain_objects(workload(tmp_path, config)), "Deployment")["template"]["spec"]["containers"][0]["env"]
    found = [each["valueFrom"]["secretKeyRef"] for each in env if each["name"] == "HOMEPORT_TOKEN_HASH"]
    assert found == ([] if token is None else [{"name": "notes-token", "key": "hash", **token}])


def test_sessions_have_one_pod_unless_all_pods_share_a_volume(tmp_path: Path) -> None:
    config = "[deployment]\nsessions = true\n[scaling]\nmin = 2\nmax = 4\n"
    alone = plain_objects(workload(tmp_path, config))
    assert of_kind(alone, "Deployment")["replicas"] == 1
    assert of_kind(alone, "HorizontalPodAutoscaler") is None
    shared = plain_objects(workload(tmp_path, config, claim="files"))
    assert of_kind(shared, "HorizontalPodAutoscaler")["maxReplicas"] == 4
    assert "replicas" not in of_kind(shared, "Deployment"), "the autoscaler's decision stays"
    assert "sessionAffinity" not in of_kind(shared, "Service")


def test_a_pod_meets_the_restricted_standard(tmp_path: Path) -> None:
    pod = of_kind(plain_objects(workload(tmp_path)), "Deployment")["template"]["spec"]
    security = pod["containers"][0]["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert not security["allowPrivilegeEscalation"]
    assert security["readOnlyRootFilesystem"]
    assert {next(iter(set(volume) - {"name"})) for volume in pod["volumes"]} == {"emptyDir"}
    assert not pod["automountServiceAccountToken"]


def test_probes_wait_as_long_as_the_project_says(tmp_path: Path) -> None:
    config = "[deployment]\nstart_timeout_s = 90\n[scaling]\nunresponsive_s = 45\n"
    container = of_kind(plain_objects(workload(tmp_path, config)), "Deployment")["template"]["spec"]["containers"][0]
    start, live = container["startupProbe"], container["livenessProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] == 90
    assert live["periodSeconds"] * live["failureThreshold"] == 50


def test_the_operator_gets_the_same_pod_in_its_own_words(tmp_path: Path) -> None:
    config = '[deployment]\nsessions = true\n[environment]\nPW = "${secrets.PW}"\n'
    made = workload(tmp_path, config)
    spec = operator_object(made)["spec"]
    container = of_kind(plain_objects(made), "Deployment")["template"]["spec"]["containers"][0]
    assert spec["source"]["containerImage"]["ref"] == container["image"]
    assert (spec["config"]["port"], spec["config"]["env"]) == (8000, container["env"])
    assert {each["path"] for each in spec["config"]["storage"]} == {
        each["mountPath"] for each in container["volumeMounts"]
    }
    assert spec["runtime"]["security"]["securityContext"] == container["securityContext"]
    assert spec["mcp"] == {"stateless": False}
