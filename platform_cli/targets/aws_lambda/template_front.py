"""Returns the resources that lead a project's own host names to it, for CloudFormation, as fronts.py makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .challenges import challenge_config
from .desired import DesiredState
from .distributions import Front, front_config

PARAMETER = "CertificateArn"
CERTIFICATE = {
    "Type": "String",
    "AllowedPattern": "arn:.+:acm:us-east-1:.+",
    "Description": "The ARN of an issued certificate for the project's host names, which has to be in us-east-1",
}
ORIGIN = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Url", "FunctionUrl"]}]}]}


def front_resources(desired: DesiredState) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Returns no resources for a project without names that CloudFront leads to it."""
    if not desired.fronted:
        return {}
    challenge = "${Challenge}" if desired.has_challenge else None
    front = Front(f"{desired.project}, by homeport", desired.fronted, "", "${CertificateArn}", desired.settings.web_acl,
                  challenge)  # fmt: skip
    found: dict[str, Any] = _in_stacks_words(front_config(front))
    found["Origins"][0]["DomainName"] = ORIGIN
    resources: dict[str, tuple[str, Mapping[str, Any]]] = {
        "Front": ("CloudFront::Distribution", {"DistributionConfig": found})
    }
    if desired.has_challenge:
        config = challenge_config(f"{desired.project}-${{AWS::StackName}}", desired.project, desired.fronted[0])
        said = {"ResponseHeadersPolicyConfig": _in_stacks_words(config)}
        resources["Challenge"] = ("CloudFront::ResponseHeadersPolicy", said)
    return resources


# The keys that CloudFormation spells otherwise than CloudFront.
WORDS = {"ACMCertificateArn": "AcmCertificateArn", "SSLSupportMethod": "SslSupportMethod",
         "OriginSslProtocols": "OriginSSLProtocols", "IsIPV6Enabled": "IPV6Enabled"}  # fmt: skip


def _in_stacks_words(value: Any, key: str = "") -> Any:
    """Converts a configuration to CloudFormation's form, with lists without their length, and no empty values."""
    if not isinstance(value, Mapping):
        return value
    if "Quantity" in value and key != "CustomHeadersConfig" and set(value) <= {"Quantity", "Items"}:
        return [_in_stacks_words(item) for item in value.get("Items", ())]
    found = {
        WORDS.get(name, name): _in_stacks_words(content, name)
        for name, content in value.items()
        if name != "Quantity" and content not in ("", {"Quantity": 0})
    }
    if key == "AllowedMethods":
        return found["Items"]
    if "AllowedMethods" in value:
        found["CachedMethods"] = value["AllowedMethods"]["CachedMethods"]["Items"]
    return found
