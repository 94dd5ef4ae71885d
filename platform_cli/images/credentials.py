"""Finds the login for a registry: the one that `docker login` has stored, and for Amazon ECR a token of AWS."""

from __future__ import annotations

import base64
import re
import warnings
from dataclasses import dataclass, field

from ..config.image_reference import DOCKER_HUB
from ..errors import RegistryError

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|on\.aws)(?:\.cn)?"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str
    password: str = field(repr=False)


def find_credentials(registry: str) -> Credentials | None:
    """Returns the login for the registry, None where there is none; many images can be had without.

    Raises RegistryError if there is one that cannot be read.
    """
    return _of_docker(registry) or (_of_ecr(found["region"]) if (found := _ECR.fullmatch(registry)) else None)


def login_hint(registry: str) -> str:
    """Returns the command after which there is a login."""
    return "docker login" if registry == DOCKER_HUB else f"docker login {registry}"


def _of_docker(registry: str) -> Credentials | None:
    # docker.auth is the reader of ~/.docker/config.json, of its credential stores and helpers.
    from docker.auth import load_config
    from docker.errors import DockerException

    try:
        with warnings.catch_warnings():
            # Of a credential helper that is not installed; the error says so, too.
            warnings.simplefilter("ignore")
            found = load_config().resolve_authconfig(registry) or {}
    except (DockerException, ValueError) as error:
        raise RegistryError(
            f"the login for {registry} cannot be read: {error}", hint=f"{login_hint(registry)}, then run this again"
        ) from None
    entry = {key.lower(): value for key, value in found.items()}
    if "identitytoken" in entry:
        raise RegistryError(
            f"the login for {registry} is an identity token, which homeport cannot use",
            hint=f"{login_hint(registry)} --username NAME, with a password or an access token",
        )
    return Credentials(entry["username"], entry["password"]) if entry.get("username") else None


def _of_ecr(region: str) -> Credentials:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = boto3.client("ecr", region_name=region).get_authorization_token()
    except (BotoCoreError, ClientError) as error:
        raise RegistryError(
            f"AWS gives no token for its registry in {region}: {error}",
            hint="`aws sts get-caller-identity` shows whether AWS knows you",
        ) from None
    username, _, password = (
        base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode().partition(":")
    )
    return Credentials(username, password)
