"""Gives access to AWS's services, and turns their refusals into errors for the person."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

from ...errors import AWSError, ConfigError, HomeportError

MISSING = "ResourceNotFoundException"


class AWS:
    """Is one account and region, whose services are boto3's clients, created on first use.

    Raises ConfigError if AWS's own settings are malformed, or no region was chosen.
    """

    def __init__(self, region: str | None) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        try:
            self._session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))
        except BotoCoreError as error:
            raise ConfigError(f"AWS's own settings: {error}", hint="check AWS_PROFILE and ~/.aws/config") from error
        if not self._session.region_name:
            raise ConfigError(
                "no AWS region was chosen", hint='set AWS_REGION, or region = "..." under [deployment.lambda]'
            )
        self.region: str = self._session.region_name
        self._config = Config(retries={"mode": "standard", "max_attempts": 5}, read_timeout=120)
        self._making = threading.Lock()

    def prepare(self) -> None:
        """Creates the clients that a plan needs in another thread, since botocore reads a service's description for
        each.
        """
        threading.Thread(target=self._make_clients, daemon=True).start()

    def _make_clients(self) -> None:
        # An error is raised again for whoever needs the client.
        with suppress(Exception):
            _ = self.functions, self.roles, self.logs, self.tables

    def _client(self, service: str, region: str | None = None) -> Any:
        with self._making:
            return self._session.client(service, region_name=region, config=self._config)

    def hold_credentials(self) -> None:
        """Loads the credentials, so that they may be removed from the environment."""
        self._session.get_credentials()

    @cached_property
    def functions(self) -> Any:
        return self._client("lambda")

    @cached_property
    def roles(self) -> Any:
        return self._client("iam")

    @cached_property
    def logs(self) -> Any:
        return self._client("logs")

    @cached_property
    def tables(self) -> Any:
        return self._client("dynamodb")

    @cached_property
    def queues(self) -> Any:
        return self._client("sqs")

    @cached_property
    def buckets(self) -> Any:
        return self._client("s3")

    @cached_property
    def secrets(self) -> Any:
        return self._client("secretsmanager")

    @cached_property
    def metrics(self) -> Any:
        return self._client("cloudwatch")

    @cached_property
    def networks(self) -> Any:
        return self._client("ec2")

    @cached_property
    def keys(self) -> Any:
        return self._client("kms")

    @cached_property
    def hub(self) -> Any:
        return self._client("securityhub")

    @cached_property
    def fronts(self) -> Any:
        return self._client("cloudfront")

    @cached_property
    def certificates(self) -> Any:
        """Returns the client for the region from which CloudFront takes certificates."""
        return self._client("acm", "us-east-1")

    @cached_property
    def identities(self) -> Any:
        return self._client("sts")

    @cached_property
    def caller(self) -> str:
        """Returns the ARN of the credentials' owner."""
        return str(self.identities.get_caller_identity()["Arn"])

    def check_access(self) -> None:
        """Raises AWSError if AWS does not accept the credentials, or there is no such region, before
        anything is built.
        """
        with aws_errors(self.region):
            _ = self.caller

    @property
    def account(self) -> str:
        return self.caller.split(":")[4]

    @property
    def credentials_from(self) -> str | None:
        """Returns boto3's name for the place in which it found credentials; None if it found none."""
        found = self._session.get_credentials()
        return str(found.method) if found else None

    @property
    def partition(self) -> str:
        return str(self._session.get_partition_for_region(self.region))


@contextmanager
def aws_errors(region: str | None = None) -> Iterator[None]:
    """Raises AWSError for AWS's refusals, and BusyError if another deploy changes the same function.

    `region` is as for `explain`.
    """
    try:
        yield
    except HomeportError:
        raise
    except Exception as error:
        # Imported late, as everything of boto3, which most commands do not need.
        from .refusals import ERRORS, explain

        if not isinstance(error, ERRORS):
            raise
        raise explain(error, region) from error


@contextmanager
def hidden_errors() -> Iterator[None]:
    """Raises errors as `aws_errors` does, but only with AWS's code, since its message may quote a secret
    of the call.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    from .refusals import NOT_SET_UP

    with aws_errors():
        try:
            yield
        except ClientError as error:
            told = {"Code": code_of(error), "Message": "its words are not shown, for they may quote a secret"}
            raise ClientError({"Error": told}, error.operation_name) from None
        except (NoCredentialsError, *NOT_SET_UP):
            # Nothing was sent.
            raise
        except BotoCoreError as error:
            raise AWSError(f"AWS cannot be reached: {type(error).__name__}", hint="check network and region") from None


def code_of(error: BaseException) -> str:
    """Returns AWS's code of a ClientError."""
    # The error of a closed connection has this attribute as None.
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def absent(*codes: str) -> Iterator[None]:
    """Ignores AWS's answer that something does not exist (or already exists), by its codes."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if code_of(error) not in codes:
            raise
