"""Reads the project's secret from Secrets Manager."""

from __future__ import annotations

import json
from contextlib import closing

from .client import SECRETS_MANAGER, Client
from .errors import AWSError


def fetch_secret(arn: str, version: str | None = None) -> dict[str, str]:
    """Returns the values by name from a secret that is a JSON object of texts.

    `version` is a VersionId, None for the current one. The region is the one in the ARN, else the function's own.
    Raises AWSError, never with a value in it, if the secret cannot be read or has another form.
    """
    parts = arn.split(":")
    region = parts[3] if len(parts) > 6 else None
    wanted = {"SecretId": arn, **({"VersionId": version} if version else {})}
    with closing(Client(SECRETS_MANAGER, region)) as client:
        answer = client.call("GetSecretValue", wanted)
    try:
        values = json.loads(answer["SecretString"])
    except (KeyError, ValueError):
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise AWSError("NotASecret", f"{arn} is no JSON object of texts")
    return values
