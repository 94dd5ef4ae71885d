"""Makes a distribution of CloudFront in front of a project's URL, for its own host names, without caching or buffering.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistS3AndCustomOrigins.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homeport_runtime.hosts.aws_lambda.front import MARK

from .client import AWS, absent

# AWS's own policies
# (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html,
# using-managed-origin-request-policies.html): nothing is cached, and all headers are passed on but Host, by which
# Lambda finds the URL.
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
ORIGIN = "function"
METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]
# The longest silence of an answer that an account may have by default; streams are never silent for so long.
SILENCE_S = 60
# A change takes minutes to reach all of CloudFront.
WAITER = {"Delay": 10, "MaxAttempts": 120}
NO_DISTRIBUTION = "NoSuchDistribution"


@dataclass(frozen=True, slots=True)
class Front:
    """Describes a desired distribution.

    `origin` is the host of the function's URL; `challenge` is the ARN of the function that restores refusals.
    """

    comment: str
    names: Sequence[str]
    origin: str
    certificate: str
    web_acl: str | None
    challenge: str


@dataclass(frozen=True, slots=True)
class Distribution:
    id: str
    domain: str
    status: str
    etag: str
    config: Mapping[str, Any]

    @property
    def functions(self) -> list[str]:
        """Returns the ARNs of the functions that run in it."""
        found = self.config["DefaultCacheBehavior"].get("FunctionAssociations", {}).get("Items", ())
        return [str(one["FunctionARN"]) for one in found]

    def is_like(self, front: Front) -> bool:
        """Tells whether the distribution has all that `front` sets."""
        found = self.config
        return (
            found["Enabled"]
            and set(found["Aliases"].get("Items", ())) == set(front.names)
            and found["Origins"]["Items"][0]["DomainName"] == front.origin
            and found["ViewerCertificate"].get("ACMCertificateArn") == front.certificate
            and found.get("WebACLId", "") == (front.web_acl or "")
            and self.functions == [front.challenge]
        )


def read_distribution(aws: AWS, number: str) -> Distribution | None:
    with absent(NO_DISTRIBUTION):
        found = aws.fronts.get_distribution(Id=number)
        made = found["Distribution"]
        return Distribution(number, made["DomainName"], made["Status"], found["ETag"], made["DistributionConfig"])
    return None


def make_distribution(aws: AWS, front: Front, reference: str, tags: Mapping[str, str]) -> str:
    """Returns the id of a new distribution, or of the one that was made with the same `reference`."""
    config = {**front_config(front), "CallerReference": reference}
    items = [{"Key": key, "Value": value} for key, value in tags.items()]
    with absent("DistributionAlreadyExists"):
        made = aws.fronts.create_distribution_with_tags(
            DistributionConfigWithTags={"DistributionConfig": config, "Tags": {"Items": items}}
        )
        return str(made["Distribution"]["Id"])
    # A deploy that was killed has made it with another configuration, and could not store its id.
    pages = aws.fronts.get_paginator("list_distributions").paginate()
    listed = (one for page in pages for one in page["DistributionList"].get("Items", ()))
    number = next(str(one["Id"]) for one in listed if one["Comment"] == front.comment)
    update_distribution(aws, number, front)
    return number


def update_distribution(aws: AWS, number: str, front: Front) -> None:
    now = aws.fronts.get_distribution_config(Id=number)
    config = {**now["DistributionConfig"], **front_config(front)}
    aws.fronts.update_distribution(Id=number, IfMatch=now["ETag"], DistributionConfig=config)


def remove_distribution(aws: AWS, number: str) -> None:
    """Disables and deletes the distribution, which takes minutes; a removal that was interrupted can be repeated."""
    with absent(NO_DISTRIBUTION):
        now = aws.fronts.get_distribution_config(Id=number)
        if now["DistributionConfig"]["Enabled"]:
            config = {**now["DistributionConfig"], "Enabled": False}
            aws.fronts.update_distribution(Id=number, IfMatch=now["ETag"], DistributionConfig=config)
        aws.fronts.get_waiter("distribution_deployed").wait(Id=number, WaiterConfig=WAITER)
        etag = aws.fronts.get_distribution_config(Id=number)["ETag"]
        aws.fronts.delete_distribution(Id=number, IfMatch=etag)


def front_config(front: Front) -> dict[str, Any]:
    return {
        "Comment": front.comment,
        "Enabled": True,
        "Aliases": {"Quantity": len(front.names), "Items": list(front.names)},
        "DefaultRootObject": "",
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": ORIGIN,
                    "DomainName": front.origin,
                    "OriginPath": "",
                    "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": MARK.decode(), "HeaderValue": "1"}]},
                    "CustomOriginConfig": {
                        "HTTPPort": 80,
                        "HTTPSPort": 443,
                        "OriginProtocolPolicy": "https-only",
                        "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
                        "OriginReadTimeout": SILENCE_S,
                        "OriginKeepaliveTimeout": SILENCE_S,
                    },
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": ORIGIN,
            # For a redirect from http to https a client would have to send its token unencrypted.
            "ViewerProtocolPolicy": "https-only",
            "AllowedMethods": {
                "Quantity": len(METHODS),
                "Items": METHODS,
                "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
            },
            "CachePolicyId": CACHING_DISABLED,
            "OriginRequestPolicyId": ALL_BUT_HOST,
            "FunctionAssociations": {
                "Quantity": 1,
                "Items": [{"FunctionARN": front.challenge, "EventType": "viewer-response"}],
            },
            # It would hold back what it compresses.
            "Compress": False,
        },
        "ViewerCertificate": {
            "ACMCertificateArn": front.certificate,
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": "TLSv1.2_2021",
        },
        "WebACLId": front.web_acl or "",
        "HttpVersion": "http2and3",
        "IsIPV6Enabled": True,
        "PriceClass": "PriceClass_All",
    }
