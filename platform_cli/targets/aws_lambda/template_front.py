"""Returns the resources that lead a project's own host names to it, for CloudFormation, as fronts.py makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .challenges import COMMENT, RUNTIME, challenge_code
from .desired import DesiredState
from .distributions import Front, front_config
from .names import PREFIX

PARAMETER = "CertificateArn"
CERTIFICATE = {
    "Type": "String",
    "AllowedPattern": "arn:.+:acm:us-east-1:.+",
    "Description": "The ARN of an issued certificate for the project's host names, which has to be in us-east-1",
}
# The names of CloudFront's functions are the account's, in all regions, and have at most 64 characters.
CHALLENGE_NAME = {"Fn::Join": ["", [PREFIX, {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}]]}
ORIGIN = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Url", "FunctionUrl"]}]}]}


def front_resources(desired: DesiredState) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Returns no resources for a project without names that CloudFront leads to it."""
    if not desired.fronted:
        return {}
    front = Front(f"{desired.project}, by homeport", desired.fronted, "", "${CertificateArn}", desired.settings.web_acl,
                  "${Challenge}")  # fmt: skip
    found: dict[str, Any] = _in_stacks_words(front_config(front))
    found["Origins"][0]["DomainName"] = ORIGIN
    challenge = {
        "Name": CHALLENGE_NAME,
        "AutoPublish": True,
        "FunctionCode": challenge_code().decode(),
        "FunctionConfig": {"Comment": COMMENT, "Runtime": RUNTIME},
    }
    return {
        "Challenge": ("CloudFront::Function", challenge),
        "Front": ("CloudFront::Distribution", {"DistributionConfig": found}),
    }


# The keys that CloudFormation spells otherwise than CloudFront.
WORDS = {"ACMCertificateArn": "AcmCertificateArn", "SSLSupportMethod": "SslSupportMethod",
         "OriginSslProtocols": "OriginSSLProtocols", "IsIPV6Enabled": "IPV6Enabled",
         "CustomHeaders": "OriginCustomHeaders"}  # fmt: skip


def _in_stacks_words(value: Any, key: str = "") -> Any:
    """Converts a configuration to CloudFormation's form, with lists without their length, and no empty values."""
    if not isinstance(value, Mapping):
        return value
    if "Quantity" in value and set(value) <= {"Quantity", "Items"}:
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
