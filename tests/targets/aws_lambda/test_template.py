"""Tests the exported template: cfn-lint accepts it, and a stack makes of it the function that a deploy would make."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.surface import check_json
from tests.aws.control_plane import ControlPlane
from tests.support import CommandFailedError, Platform

pytestmark = pytest.mark.whole

KEY, LIMITS = (f"arn:aws:{kind}/mine" for kind in ("kms:eu-central-1:123456789012:key", "iam::123456789012:policy"))
# Below [deployment.lambda], with which the project's own file ends.
OPEN_CONFIG = f"""
kms_key = "{KEY}"
boundary = "{LIMITS}"
vpc = {{ subnets = ["subnet-0a1b2c3d"], security_groups = ["sg-0a1b2c3d"] }}
[auth]
mode = "none"
[domains]
names = ["mcp.example.com"]
"""
MORE_CONFIG = "[scaling]\nmin = 2\nmax = 5\n[domains]\nnames = ['mcp.example.com']\n"


def lint(template: Path) -> None:
    """Checks a template with cfn-lint, with warnings as failures."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--non-zero-exit-code", "warning", "--", str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def as_moto_knows(template: dict[str, Any]) -> dict[str, Any]:
    """Returns the template without what moto's stacks lack: there is no alias and no URL."""
    unknown = ("Live", "Url", "HomeportUrl", "HomeportThroughUrl", "Front", "Challenge")
    resources = {name: resource for name, resource in template["Resources"].items() if name not in unknown}
    return {**template, "Resources": resources, "Outputs": {}}


def test_a_stack_of_the_template_is_the_project(
    laptop: Platform, plane: ControlPlane, project: Path, tmp_path: Path
) -> None:
    with (project / "fastmcp.toml").open("a") as file:
        file.write(MORE_CONFIG)
    folder = project / "cloudformation"
    first = laptop.run("export", "cloudformation", str(project), "--name", "stacked", "--to", str(folder))
    check_json("export cloudformation", first)
    template = Path(first["path"])
    lint(template)
    assert first["token"] not in template.read_text()
    front = json.loads(template.read_text())["Resources"]["Front"]["Properties"]["DistributionConfig"]
    assert (front["Aliases"], front["ViewerCertificate"]["AcmCertificateArn"]) == (
        ["mcp.example.com"],
        {"Ref": "CertificateArn"},
    )
    assert "CertificateArn=ARN" in first["commands"][1]
    assert hashlib.sha256(first["token"].encode()).hexdigest() == first["token_hash"]

    before = template.read_bytes()
    again = laptop.run("export", "cloudformation", str(project), "--name", "stacked", "--to", str(folder))
    assert "token" not in again, "a stack that is there has its token"
    assert template.read_bytes() == before, "the folder is no part of the project that it is in"

    s3, stacks = plane.moto.client("s3"), plane.moto.client("cloudformation")
    s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for path in (folder / "artifacts").iterdir():
        s3.upload_file(str(path), "artifacts", f"homeport/{path.name}")
    parameters = {"ArtifactBucket": "artifacts", "TokenHash": first["token_hash"], "Release": "7"}
    parameters["CertificateArn"] = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    stacks.create_stack(
        StackName="stacked",
        TemplateBody=json.dumps(as_moto_knows(json.loads(template.read_text()))),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    functions = plane.moto.client("lambda")
    assert functions.get_function_concurrency(FunctionName="homeport-stacked")["ReservedConcurrentExecutions"] == 5
    version = functions.get_function_configuration(FunctionName="homeport-stacked", Qualifier="1")
    assert version["Environment"]["Variables"]["HOMEPORT_RELEASE"] == "v7"
    # moto gives a stack's function no layers.
    resources = json.loads(template.read_text())["Resources"]
    keys = [resources[name]["Properties"]["Content"]["S3Key"] for name in ("PackagesLayer", "RuntimeLayer")]
    layers = [
        functions.publish_layer_version(LayerName="stacked", Content={"S3Bucket": "artifacts", "S3Key": key})
        for key in keys
    ]
    arns = [layer["LayerVersionArn"] for layer in layers]
    functions.update_function_configuration(FunctionName="homeport-stacked", Layers=arns)
    url = plane.function("homeport-stacked", functions.publish_version(FunctionName="homeport-stacked")["Version"]).url
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Accept": "application/json, text/event-stream"}
    assert httpx.post(f"{url}/mcp", json=call, headers=headers, timeout=60).status_code == 401
    headers["Authorization"] = f"Bearer {first['token']}"
    assert httpx.post(f"{url}/mcp", json=call, headers=headers, timeout=60).status_code == 200


def test_only_who_says_so_gets_an_open_stack(laptop: Platform, project: Path, tmp_path: Path) -> None:
    def export(folder: str) -> tuple[dict[str, Any], dict[str, Any]]:
        answer = laptop.run("export", "cloudformation", str(project), "--to", str(tmp_path / folder))
        return answer, json.loads(Path(answer["path"]).read_text())

    _answer, template = export("closed")
    assert "Default" not in template["Parameters"]["TokenHash"]
    with (project / "fastmcp.toml").open("a") as file:
        file.write(OPEN_CONFIG)
    answer, template = export("open")
    resources = template["Resources"]
    (version,) = (one for one in resources.values() if one["Type"] == "AWS::Lambda::Version")
    assert (version["DeletionPolicy"], version["UpdateReplacePolicy"]) == ("Retain", "Retain")
    function, role = resources["Function"]["Properties"], resources["Role"]["Properties"]
    assert (function["KmsKeyArn"], function["VpcConfig"]["SubnetIds"]) == (KEY, ["subnet-0a1b2c3d"])
    assert role["PermissionsBoundary"] == LIMITS
    behavior = resources["Front"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    assert behavior["FunctionAssociations"] == [{"EventType": "viewer-response", "FunctionARN": {"Ref": "Challenge"}}]
    assert resources["Challenge"]["Properties"]["AutoPublish"] is True
    lint(Path(answer["path"]))
    assert ("token" in answer, "TokenHash" in json.dumps(template)) == (False, False)


def test_a_stack_reads_the_secrets_that_are_current(
    laptop: Platform, plane: ControlPlane, project: Path, tmp_path: Path
) -> None:
    with (project / "fastmcp.toml").open("a") as file:
        file.write('[environment]\nGREETING = "${secrets.WORD}"\n')
    laptop.run("set-secret", "WORD", "sk-hidden-value", "--project", "stack-secret")
    answer = laptop.run(
        "export", "cloudformation", str(project), "--name", "stack-secret", "--to", str(tmp_path / "to")
    )
    template = Path(answer["path"]).read_text()
    lint(Path(answer["path"]))
    arn = plane.moto.client("secretsmanager").describe_secret(SecretId="homeport/stack-secret")["ARN"]
    resources = json.loads(template)["Resources"]
    variables = resources["Function"]["Properties"]["Environment"]["Variables"]
    given = {"Ref": "SecretArn"}
    assert (variables["HOMEPORT_SECRET_ARN"], "HOMEPORT_SECRET_VERSION" in variables) == (given, False)
    assert f"SecretArn={arn}" in answer["commands"][1]
    assert not {"eu-central-1", "123456789012"} & set(re.split(r"[^\w-]", template)), "it is for any account and region"
    (policy,) = resources["Role"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"][2]["Resource"] == given
    assert "sk-hidden-value" not in template


def test_a_folder_with_other_things_is_left_alone(laptop: Platform, project: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("export", "cloudformation", str(project), "--to", str(tmp_path))
    assert caught.value.code == 2
