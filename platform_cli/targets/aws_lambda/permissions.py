"""Lists the permissions that a deploy needs, by the resource that each is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .challenges import challenge_arn
from .names import function_name, layer_name, log_group, mailbox_table, role_name, secret_name
from .places import Place, arn, bucket_arn, global_arn, iam_arn

# The project's name in these resources, which stands for all projects.
EXAMPLE = "doctor"
FUNCTION = (
    "AddPermission", "CreateAlias", "CreateFunction", "CreateFunctionUrlConfig", "DeleteFunction",
    "DeleteFunctionConcurrency", "DeleteFunctionUrlConfig", "DeleteProvisionedConcurrencyConfig", "GetAlias",
    "GetFunction", "GetFunctionConcurrency", "GetFunctionConfiguration", "GetFunctionUrlConfig",
    "GetProvisionedConcurrencyConfig", "InvokeFunction", "ListTags", "ListVersionsByFunction", "PublishVersion",
    "PutFunctionConcurrency", "PutProvisionedConcurrencyConfig", "TagResource", "UntagResource", "UpdateAlias",
    "UpdateFunctionCode", "UpdateFunctionConfiguration",
)  # fmt: skip
LAYER = ("DeleteLayerVersion", "GetLayerVersion", "ListLayerVersions", "PublishLayerVersion")
ACCOUNT = ("GetAccountSettings", "ListFunctions", "ListLayers")
ROLE = (
    "AttachRolePolicy", "CreateRole", "DeleteRole", "DeleteRolePolicy", "DetachRolePolicy", "GetRole", "GetRolePolicy",
    "ListAttachedRolePolicies", "ListRolePolicies", "PassRole", "PutRolePolicy", "TagRole",
)  # fmt: skip
LOGS = (
    "CreateLogGroup", "CreateLogStream", "DeleteLogGroup", "DeleteLogStream", "DescribeLogGroups",
    "DescribeLogStreams", "FilterLogEvents", "ListTagsForResource", "PutRetentionPolicy", "TagResource",
)  # fmt: skip
SECRET = (
    "CreateSecret", "DeleteSecret", "DescribeSecret", "GetSecretValue", "PutSecretValue", "TagResource",
    "UpdateSecretVersionStage",
)  # fmt: skip
TABLE = (
    "CreateTable", "DeleteTable", "DescribeTable", "DescribeTimeToLive", "ListTagsOfResource", "PutItem", "Query",
    "TagResource", "UpdateTimeToLive",
)  # fmt: skip
# For projects with host names of their own. Neither a distribution nor a certificate has a name that could be matched.
DISTRIBUTION = (
    "CreateDistribution", "DeleteDistribution", "GetDistribution", "GetDistributionConfig", "TagResource",
    "UpdateDistribution",
)  # fmt: skip
CHALLENGES = ("CreateFunction", "DeleteFunction", "DescribeFunction", "PublishFunction")
FRONTS = ("ListDistributions",)
CERTIFICATE = ("AddTagsToCertificate", "DeleteCertificate", "DescribeCertificate", "RequestCertificate")
# The actions on such things before they exist.
NEW = ("AddTagsToCertificate", "CreateDistribution", "RequestCertificate", "TagResource")
BUCKET = ("CreateBucket", "DeleteBucket", "PutLifecycleConfiguration")
OBJECT = ("DeleteObject", "GetObject", "PutObject")


def needed(place: Place, *, fronted: bool = False) -> Mapping[str, list[str]]:
    """Returns the actions that a project needs by resource; with `fronted` those for host names of its own, too."""
    found: dict[str, list[str]] = {}
    for resource, service, names in (*_needed(place), *(_of_fronts(place) if fronted else ())):
        found.setdefault(resource, []).extend(f"{service}:{name}" for name in names)
    return found


def _needed(place: Place) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    bucket = bucket_arn(place)
    yield arn(place, "lambda", f"function:{function_name(EXAMPLE)}"), "lambda", FUNCTION
    yield arn(place, "lambda", f"layer:{layer_name('packages', EXAMPLE)}"), "lambda", LAYER
    yield "*", "lambda", ACCOUNT
    yield iam_arn(place, f"role/{role_name(EXAMPLE, place.region)}"), "iam", ROLE
    yield arn(place, "logs", f"log-group:{log_group(EXAMPLE)}:*"), "logs", LOGS
    yield arn(place, "secretsmanager", f"secret:{secret_name(EXAMPLE)}-abcdef"), "secretsmanager", SECRET
    yield "*", "cloudwatch", ("GetMetricStatistics",)
    yield arn(place, "dynamodb", f"table/{mailbox_table(EXAMPLE)}"), "dynamodb", TABLE
    yield bucket, "s3", BUCKET
    yield f"{bucket}/function.zip", "s3", OBJECT


def _of_fronts(place: Place) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    yield global_arn(place, "cloudfront", "distribution/E1"), "cloudfront", DISTRIBUTION
    yield challenge_arn(place), "cloudfront", CHALLENGES
    yield "*", "cloudfront", FRONTS
    yield f"arn:{place.partition}:acm:us-east-1:{place.account}:certificate/1", "acm", CERTIFICATE
