"""Tells callers of a server with its own OAuth where to log in, behind its own host name.

Function URLs rename the WWW-Authenticate of a 401 (x-amzn-remapped-www-authenticate), and CloudFront runs none of its
functions on an answer of 400 or more, so nothing there could rename it back
(https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html). What a client
needs of it is the same in every answer: where the metadata of the protected resource are (RFC 9728, sections 3.1 and
5.1). So CloudFront adds that to all of them; in answers other than a 401 it means nothing (RFC 9110, section 11.6.1).
"""

from __future__ import annotations

from typing import Any

from .client import AWS, absent
from .names import function_name

NO_POLICY = "NoSuchResponseHeadersPolicy"
# The path of the metadata of the resource https://NAME/mcp.
METADATA = "/.well-known/oauth-protected-resource/mcp"


def make_challenge(aws: AWS, project: str, name: str) -> str:
    """Creates the response headers policy if it does not exist, and returns its id."""
    config = challenge_config(f"{function_name(project)}-{aws.region}", project, name)
    with absent("ResponseHeadersPolicyAlreadyExists"):
        made = aws.fronts.create_response_headers_policy(ResponseHeadersPolicyConfig=config)
        return str(made["ResponseHeadersPolicy"]["Id"])
    listed = aws.fronts.list_response_headers_policies(Type="custom")["ResponseHeadersPolicyList"].get("Items", ())
    policies = (one["ResponseHeadersPolicy"] for one in listed)
    found = next(one for one in policies if one["ResponseHeadersPolicyConfig"]["Name"] == config["Name"])
    return str(found["Id"])


def challenge_config(policy: str, project: str, name: str) -> dict[str, Any]:
    """Returns the configuration of the `policy` of that name for the host `name`."""
    header = {
        "Header": "WWW-Authenticate",
        "Value": f'Bearer resource_metadata="https://{name}{METADATA}"',
        "Override": True,
    }
    return {
        "Name": policy,
        "Comment": f"{project}, by homeport",
        "CustomHeadersConfig": {"Quantity": 1, "Items": [header]},
    }


def remove_challenge(aws: AWS, policy: str) -> None:
    with absent(NO_POLICY):
        etag = aws.fronts.get_response_headers_policy(Id=policy)["ETag"]
        aws.fronts.delete_response_headers_policy(Id=policy, IfMatch=etag)
