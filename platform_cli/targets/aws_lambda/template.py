"""Writes a CloudFormation template of a desired state, for those who bring their own pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...home import write_atomic
from ...pipeline.archive import Archive
from .desired import MAILBOX, MAILBOX_TTL, PERMISSIONS, TRUST, DesiredState
from .names import ALIAS, POLICY, function_name, log_group, mailbox_table, tag_list
from .places import NamedPlace
from .template_front import CERTIFICATE, PARAMETER, front_resources
from .versions import STACK

TEMPLATE = "template.json"
ARTIFACTS = "artifacts"
# The prefix of the zips' keys in the bucket.
KEY_PREFIX = "homeport/"
BUCKET = {
    "Type": "String",
    "Description": f"The bucket, in the stack's region, that has the zips of artifacts/ below {KEY_PREFIX}",
}
RELEASE = {
    "Type": "Number",
    "Default": 1,
    "MinValue": 1,
    "Description": "The release's number: v1, v2, ... in logs and status",
}
TOKEN_HASH = {
    "Type": "String",
    "AllowedPattern": "[0-9a-f]{64}",
    "ConstraintDescription": "64 hexadecimal digits",
    "Description": "The sha256 of the bearer token that callers need, in hexadecimal digits",
}
SECRET = "SecretArn"  # noqa: S105 - its name
SECRET_ARN = {
    "Type": "String",
    "AllowedPattern": "arn:.+:secret:.+",
    "Description": "The ARN of the secret of Secrets Manager that has the project's values, in the stack's region",
}
# The account and region of the stack, whatever they are.
STACK_PLACE = NamedPlace("${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}")


def make_template(desired: DesiredState) -> dict[str, Any]:
    """Returns the template.

    Without `[auth] mode = "none"` the hash of a token is a parameter without a default, so that no stack is open by
    accident.
    """
    is_open = desired.auth == "none"
    parameters = {
        "ArtifactBucket": BUCKET,
        "Release": RELEASE,
        **({} if is_open else {"TokenHash": TOKEN_HASH}),
        **({SECRET: SECRET_ARN} if desired.secrets else {}),
        **({PARAMETER: CERTIFICATE} if desired.fronted else {}),
    }
    resources = {name: _resource(*resource) for name, resource in _resources(desired, is_open=is_open).items()}
    for name, resource in resources.items():
        if name.startswith("Version"):
            # An older template may lead `live` to the version again, which is deleted with its function.
            resource |= {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    # The function's role may not make the log group.
    resources["Function"]["DependsOn"] = ["Logs"]
    resources["Url"]["DependsOn"] = ["Live"]
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{desired.project} on AWS Lambda, as homeport would deploy it",
        "Parameters": parameters,
        "Resources": resources,
        "Outputs": {
            "Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}},
            "McpUrl": {"Value": {"Fn::Sub": "${Url.FunctionUrl}mcp"}},
            **({"Front": {"Value": {"Fn::GetAtt": ["Front", "DomainName"]}}} if desired.fronted else {}),
        },
    }


def _resource(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": _substituted(properties)}


def _substituted(value: Any) -> Any:
    """Marks text with `${...}` in it for CloudFormation to fill in."""
    if isinstance(value, str):
        if reference := re.fullmatch(r"\$\{(\w+)\}", value):
            return {"Ref": reference[1]}
        return {"Fn::Sub": value} if "${" in value else value
    if isinstance(value, list):
        return [_substituted(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _substituted(item) for key, item in value.items()}
    return value


def _resources(desired: DesiredState, *, is_open: bool) -> dict[str, tuple[str, Mapping[str, Any]]]:
    project, artifacts = desired.project, desired.artifacts
    tags = tag_list(desired.tags)
    token_hash = None if is_open else "${TokenHash}"
    # A version never changes: a new one has another name here and another description.
    version = f"Version{desired.identity[:16]}"
    described = " ".join(["v${Release}", desired.identity, STACK, *([token_hash] if token_hash else [])])
    secrets = [f"${{{SECRET}}}"] if desired.secrets else []
    # No staging label keeps a version of the secrets for a stack's release.
    theirs = desired.secrets and replace(desired.secrets, arn=f"${{{SECRET}}}", version=None)
    unpinned = replace(desired, secrets=theirs)
    # A template has no secret of its own; what is as hard to guess and in the same variables is good for one.
    variables = unpinned.variables("v${Release}", token_hash, token_hash if desired.issuer else None)
    limit, ready, settings = desired.limit, desired.scaling.min, desired.settings
    return {
        "Role": (
            "IAM::Role",
            {
                "AssumeRolePolicyDocument": TRUST,
                "Policies": [{"PolicyName": POLICY, "PolicyDocument": desired.role_policy(STACK_PLACE, secrets)}],
                **({"PermissionsBoundary": settings.boundary} if settings.boundary else {}),
                **({"ManagedPolicyArns": list(settings.policies)} if settings.policies else {}),
                "Tags": tags,
            },
        ),
        "Logs": (
            "Logs::LogGroup",
            {"LogGroupName": log_group(project), "RetentionInDays": desired.settings.log_days, "Tags": tags},
        ),
        "Mailbox": (
            "DynamoDB::Table",
            {"TableName": mailbox_table(project), **MAILBOX, "TimeToLiveSpecification": MAILBOX_TTL, "Tags": tags},
        ),
        "PackagesLayer": _layer(desired, artifacts.packages, "packages"),
        "RuntimeLayer": _layer(desired, artifacts.runtime, "runtime"),
        "Function": (
            "Lambda::Function",
            {
                **_configuration(desired, variables),
                "Description": f"{project}, by homeport",
                "Architectures": [artifacts.architecture],
                "Code": {"S3Bucket": "${ArtifactBucket}", "S3Key": KEY_PREFIX + file_name(artifacts.function)},
                "Tags": tags,
                **({"ReservedConcurrentExecutions": limit} if limit is not None else {}),
            },
        ),
        version: ("Lambda::Version", {"FunctionName": "${Function}", "Description": described}),
        "Live": (
            "Lambda::Alias",
            {
                "Name": ALIAS,
                "FunctionName": "${Function}",
                "FunctionVersion": f"${{{version}.Version}}",
                "Description": "newest v${Release}",
                **({"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": ready}} if ready else {}),
            },
        ),
        "Url": (
            "Lambda::Url",
            {
                "TargetFunctionArn": "${Function}",
                "Qualifier": ALIAS,
                "AuthType": "NONE",
                "InvokeMode": "RESPONSE_STREAM",
            },
        ),
        **{
            sid.title().replace("-", ""): ("Lambda::Permission", {"FunctionName": "${Live}", **permission})
            for sid, permission in PERMISSIONS.items()
        },
        **front_resources(desired),
    }


def _configuration(desired: DesiredState, variables: Mapping[str, str]) -> dict[str, Any]:
    """Returns the configuration with CloudFormation's own name for the KMS key.

    With a role of the user's own, the stack's role is not used.
    """
    role = desired.settings.role or "${Role.Arn}"
    found = desired.configuration(role, ["${PackagesLayer}", "${RuntimeLayer}"], variables)
    key = found.pop("KMSKeyArn")
    return {**found, **({"KmsKeyArn": key} if key else {})}


def _layer(desired: DesiredState, archive: Archive, kind: str) -> tuple[str, Mapping[str, Any]]:
    """Returns a layer of the stack's own: those that deploys share can be removed by deploys."""
    return (
        "Lambda::LayerVersion",
        {
            "LayerName": f"{function_name(desired.project)}-{kind}",
            "Content": {"S3Bucket": "${ArtifactBucket}", "S3Key": KEY_PREFIX + file_name(archive)},
            "CompatibleRuntimes": [f"python{desired.artifacts.python}"],
            "CompatibleArchitectures": [desired.artifacts.architecture],
        },
    )


def file_name(archive: Archive) -> str:
    """Returns a name of the content's hash, since CloudFormation sees a change only by the key."""
    return f"{archive.sha256}.zip"


def write_template(desired: DesiredState, folder: Path) -> Path:
    """Writes the template, with the zips that it names beside it, and deletes old zips.

    Version control and later bundles ignore the folder.
    """
    zips = folder / ARTIFACTS
    zips.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / ".gitignore", b"*\n", 0o644)
    artifacts = desired.artifacts
    archives = {file_name(archive): archive for archive in (artifacts.packages, artifacts.runtime, artifacts.function)}
    for old in zips.glob("*.zip"):
        if old.name not in archives:
            old.unlink()
    for name, archive in archives.items():
        if not (zips / name).exists():
            write_atomic(zips / name, archive.path.read_bytes(), 0o644)
    template = folder / TEMPLATE
    write_atomic(template, json.dumps(make_template(desired), indent=2).encode() + b"\n", 0o644)
    return template
