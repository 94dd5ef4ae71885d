"""What leads a project's own host names to it, as resources of CloudFormation: what fronts.py makes in a deploy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .challenges import challenge_config
from .distributions import Front, front_config
from .wanted import Wanted

PARAMETER = "CertificateArn"
CERTIFICATE = {
    "Type": "String",
    "AllowedPattern": "arn:.+:acm:us-east-1:.+",
    "Description": "The ARN of an issued certificate for the project's host names, which has to be in us-east-1",
}
ORIGIN = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Url", "FunctionUrl"]}]}]}


def front_resources(wanted: Wanted) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """None for a project without names that CloudFront leads to it."""
    if not wanted.fronted:
        return {}
    challenge = "${Challenge}" if wanted.has_challenge else None
    front = Front(f"{wanted.project}, by homeport", wanted.fronted, "", "${CertificateArn}", wanted.settings.web_acl,
                  challenge)  # fmt: skip
    found: dict[str, Any] = _in_stacks_words(front_config(front))
    found["Origins"][0]["DomainName"] = ORIGIN
    resources: dict[str, tuple[str, Mapping[str, Any]]] = {
        "Front": ("CloudFront::Distribution", {"DistributionConfig": found})
    }
    if wanted.has_challenge:
        config = challenge_config(f"{wanted.project}-${{AWS::StackName}}", wanted.project, wanted.fronted[0])
        said = {"ResponseHeadersPolicyConfig": _in_stacks_words(config)}
        resources["Challenge"] = ("CloudFront::ResponseHeadersPolicy", said)
    return resources


# Where CloudFormation calls something otherwise than CloudFront does.
WORDS = {"ACMCertificateArn": "AcmCertificateArn", "SSLSupportMethod": "SslSupportMethod",
         "OriginSslProtocols": "OriginSSLProtocols", "IsIPV6Enabled": "IPV6Enabled"}  # fmt: skip


def _in_stacks_words(value: Any, key: str = "") -> Any:
    """Lists without their length, and no empty values."""
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
