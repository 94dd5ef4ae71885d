"""AWS's services, with its refusals in words for the person. The one module that knows boto3."""

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
    """One account and region. Services are boto3's clients, made when first used. Raises ConfigError."""

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
        """Makes what a plan asks, beside other work: for each client botocore reads what its service can do."""
        threading.Thread(target=self._make_clients, daemon=True).start()

    def _make_clients(self) -> None:
        # Whoever needs a client that cannot be made hears of it then.
        with suppress(Exception):
            _ = self.functions, self.roles, self.logs, self.tables

    def _client(self, service: str, region: str | None = None) -> Any:
        with self._making:
            return self._session.client(service, region_name=region, config=self._config)

    def hold_credentials(self) -> None:
        """From now on they are ours, wherever they came from, and may leave the environment."""
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
        """Of the region that CloudFront takes them from."""
        return self._client("acm", "us-east-1")

    @cached_property
    def identities(self) -> Any:
        return self._client("sts")

    @cached_property
    def caller(self) -> str:
        """The ARN of whoever the credentials are."""
        return str(self.identities.get_caller_identity()["Arn"])

    def check_access(self) -> None:
        """Raises AWSError where AWS does not know who asks, or there is no such region: before anything is built."""
        with aws_errors(self.region):
            _ = self.caller

    @property
    def account(self) -> str:
        return self.caller.split(":")[4]

    @property
    def credentials_from(self) -> str | None:
        """Where boto3 found them, in its words; None if it found none."""
        found = self._session.get_credentials()
        return str(found.method) if found else None

    @property
    def partition(self) -> str:
        return str(self._session.get_partition_for_region(self.region))


@contextmanager
def aws_errors(region: str | None = None) -> Iterator[None]:
    """Raises AWSError for what AWS refuses, BusyError where another deploy changes the same function. `region` is as
    `explain` takes it.
    """
    try:
        yield
    except HomeportError:
        raise
    except Exception as error:
        # Late, as everything of boto3: most commands ask nothing of AWS.
        from .refusals import ERRORS, explain

        if not isinstance(error, ERRORS):
            raise
        raise explain(error, region) from error


@contextmanager
def hidden_errors() -> Iterator[None]:
    """As `aws_errors`, for calls with secrets in them, which AWS's own words may quote: the code alone is told."""
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
    """AWS's name of what a ClientError says."""
    # A connection that ended has the attribute, and None in it.
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def absent(*codes: str) -> Iterator[None]:
    """Passes over AWS's answer that something is not there (or is there already), by these names."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if code_of(error) not in codes:
            raise
