"""Tests what releases and projects leave when they go: nothing of their own, and everything of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.targets.aws_lambda import upload
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ACCOUNT, ControlPlane
from tests.aws.moto_server import REGION

from .hand_made import deploy, hand_made


def test_what_nobody_needs_any_more_is_removed(
    unasked: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws, functions, s3 = AWS(None), unasked.moto.client("lambda"), unasked.moto.client("s3")

    def layers(name: str) -> set[str]:
        used = functions.get_function_configuration(FunctionName=f"homeport-{name}", Qualifier="live")["Layers"]
        return {layer["Arn"] for layer in used}

    def are_there(arns: set[str]) -> bool:
        return all(functions.list_layer_versions(LayerName=arn.split(":")[6])["LayerVersions"] for arn in arns)

    # More than is uploaded directly: it goes by way of S3.
    monkeypatch.setattr(upload, "MAX_DIRECT", 1)
    sharing, pruned = hand_made(tmp_path / "one", "sharing"), hand_made(tmp_path / "two", "pruned")
    pruned = replace(pruned, artifacts=replace(pruned.artifacts, runtime=sharing.artifacts.runtime))
    deploy(aws, sharing)
    unasked.calls.clear()
    deploy(aws, pruned)
    own, shared = layers("pruned") - layers("sharing"), layers("pruned") & layers("sharing")
    assert (len(own), len(shared)) == (1, 1)
    bucket = f"homeport-{ACCOUNT}-{REGION}"
    assert [call for call in unasked.calls if call.startswith("PUT") and f"{bucket}/" in call]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (rule["Status"], rule["Expiration"]) == ("Enabled", {"Days": 1}), "what a killed deploy leaves goes, too"

    # Nine more releases, as deploys would leave them.
    for release in range(2, 11):
        functions.update_function_configuration(FunctionName="homeport-pruned", Timeout=100 + release)
        said = f"v{release} {'0' * 32} deploy"
        made = functions.publish_version(FunctionName="homeport-pruned", Description=said)["Version"]
    functions.update_alias(FunctionName="homeport-pruned", Name="live", FunctionVersion=made, Description="newest v10")
    deploy(aws, pruned)
    kept = [one["release"] for one in LambdaTarget(aws).versions("pruned")]
    assert kept == [f"v{release}" for release in range(11, 1, -1)]

    LambdaTarget(aws).destroy("pruned")
    assert (are_there(own), are_there(shared)) == (False, True)
    assert bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    LambdaTarget(aws).destroy("sharing")
    assert not are_there(shared)
