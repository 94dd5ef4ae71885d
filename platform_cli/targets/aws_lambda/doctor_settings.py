"""Checks that what a project names under [deployment.lambda] exists in the account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ...config.project import LambdaSettings, Network
from ...doctor.machine import Check
from .client import AWS, code_of

LAMBDA = "lambda.amazonaws.com"
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def check_settings(aws: AWS, settings: LambdaSettings) -> Iterator[Check]:
    """Yields a result for each key that is set, in the order of the keys."""
    for policy in (*(settings.policies or ()), *filter(None, [settings.boundary])):
        yield _asked("policy", policy, partial(_missing, aws, policy))
    if settings.role:
        yield _asked("role", settings.role, partial(_untrusting, aws, settings.role))
    if settings.vpc:
        shown = ", ".join((*settings.vpc.subnets, *settings.vpc.security_groups))
        yield _asked("vpc", shown, partial(_apart, aws, settings.vpc))
        yield _way_out(aws, settings.vpc)
    for layer in settings.layers:
        yield _asked("layer", layer, partial(_layer, aws, layer, settings.architecture))
    if settings.kms_key:
        yield _asked("kms_key", settings.kms_key, partial(_disabled, aws, settings.kms_key))


def _asked(name: str, what: str, look: Callable[[], str]) -> Check:
    """Returns the result of `look`, which returns what is wrong, and raises AWS's own answer if something does not
    exist.
    """
    from botocore.exceptions import ClientError

    try:
        wrong = look()
    except ClientError as error:
        if code_of(error) in DENIED:
            return Check(
                name, "warning", f"{what} could not be looked at ({code_of(error)})", "allow it, or look by hand"
            )
        return Check(name, "problem", f"{what}: {error.response['Error']['Message']}", _fix(name))
    return Check(name, "problem", f"{what} {wrong}", _fix(name)) if wrong else Check(name, "ok", what)


def _fix(name: str) -> str:
    return f"correct it under [deployment.lambda] in fastmcp.toml, or make the {name} on AWS"


def _missing(aws: AWS, policy: str) -> str:
    aws.roles.get_policy(PolicyArn=policy)
    return ""


def _untrusting(aws: AWS, arn: str) -> str:
    document = aws.roles.get_role(RoleName=arn.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    trusted = str([one.get("Principal") for one in document["Statement"] if one["Effect"] == "Allow"])
    return "" if LAMBDA in trusted else "does not let Lambda take it"


def _apart(aws: AWS, vpc: Network) -> str:
    subnets = aws.networks.describe_subnets(SubnetIds=list(vpc.subnets))["Subnets"]
    groups = aws.networks.describe_security_groups(GroupIds=list(vpc.security_groups))["SecurityGroups"]
    found = {one["VpcId"] for one in (*subnets, *groups)}
    return "" if len(found) == 1 else f"are in {len(found)} networks: {', '.join(sorted(found))}"


def _way_out(aws: AWS, vpc: Network) -> Check:
    """Checks that a function in a network can reach AWS's services, which it does only through the network."""
    from botocore.exceptions import ClientError

    try:
        subnets = aws.networks.describe_subnets(SubnetIds=list(vpc.subnets))["Subnets"]
        here = [{"Name": "vpc-id", "Values": [subnets[0]["VpcId"]]}]
        ends = aws.networks.describe_vpc_endpoints(Filters=here)["VpcEndpoints"]
        gateways = aws.networks.describe_nat_gateways(Filters=here)["NatGateways"]
    except ClientError as error:
        return Check("vpc's way out", "warning", f"could not be looked at ({code_of(error)})", "look by hand")
    services = {one["ServiceName"].rpartition(".")[2] for one in ends}
    missing = [name for name in ("dynamodb", "secretsmanager") if name not in services]
    if not missing or any(one["State"] == "available" for one in gateways):
        return Check("vpc's way out", "ok", "to DynamoDB and Secrets Manager")
    return Check(
        "vpc's way out",
        "warning",
        f"no NAT gateway, and no endpoint of {' and '.join(missing)}: /sse and secrets need a way there",
        "an endpoint in the network for each: a gateway for DynamoDB costs nothing",
    )


def _layer(aws: AWS, arn: str, architecture: str) -> str:
    name, _, number = arn.rpartition(":")
    found = aws.functions.get_layer_version(LayerName=name, VersionNumber=int(number))
    said = found.get("CompatibleArchitectures") or [architecture]
    return "" if architecture in said else f"is for {', '.join(said)}, and the function on {architecture}"


def _disabled(aws: AWS, arn: str) -> str:
    state = aws.keys.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
    return "" if state == "Enabled" else f"is {state}"
