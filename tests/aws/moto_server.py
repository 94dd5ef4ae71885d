"""Runs AWS's services on loopback, by moto, for whole test sessions. Its state is in memory: use names of your own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

import pytest

from .descriptions import read_descriptions_once
from .edge_functions import know_edge_functions

REGION = "eu-central-1"


@dataclass(frozen=True, slots=True)
class Moto:
    url: str

    @property
    def environment(self) -> Mapping[str, str]:
        """Returns what a process needs to find it, as it would find AWS."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing-secret-key",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        """Returns the boto3 client of a service."""
        return _client(self.url, service)


@cache
def _client(url: str, service: str) -> Any:
    """Returns one client for all who ask: each has connections, which nobody would close."""
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing-secret-key",
    )


def _never_number_twice() -> None:
    """Keeps moto from giving a new version of a function the number of one that was deleted, which AWS never does."""
    from moto.awslambda.models import LambdaFunction

    newest: dict[str, int] = {}
    set_version = LambdaFunction.set_version

    def set_new_version(self: LambdaFunction, version: int) -> None:
        newest[self.function_name] = max(version, newest.get(self.function_name, 0) + 1)
        set_version(self, newest[self.function_name])

    LambdaFunction.set_version = set_new_version  # type: ignore[method-assign]


def _write_one_at_a_time() -> None:
    """Keeps moto from losing what others write during a transaction: it takes one back by putting the whole table as it
    was.
    """
    from moto.dynamodb.models import DynamoDBBackend

    lock = threading.RLock()

    def locked(write: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(write)
        def written(*arguments: Any, **more: Any) -> Any:
            with lock:
                return write(*arguments, **more)

        return written

    for name in ("put_item", "update_item", "delete_item", "transact_write_items"):
        setattr(DynamoDBBackend, name, locked(getattr(DynamoDBBackend, name)))


def _know_boundaries() -> None:
    """Lets moto say whose boundary a policy is, and keeps it from deleting one that is."""
    from moto.core.responses import ActionResult
    from moto.iam.exceptions import DeleteConflictException
    from moto.iam.models import IAMBackend
    from moto.iam.responses import IamResponse

    delete_policy = IAMBackend.delete_policy

    def bounded_by(backend: IAMBackend, policy: str) -> list[Any]:
        return [role for role in backend.roles.values() if role.permissions_boundary_arn == policy]

    def list_entities_for_policy(self: IamResponse) -> ActionResult:
        assert self._get_param("PolicyUsageFilter") == "PermissionsBoundary", "moto knows of the others"
        return ActionResult({"PolicyRoles": bounded_by(self.backend, self._get_param("PolicyArn"))})

    def delete_policy_if_unused(self: IAMBackend, policy_arn: str) -> None:
        if bounded_by(self, policy_arn):
            raise DeleteConflictException("it is the boundary of roles")
        delete_policy(self, policy_arn)

    IamResponse.list_entities_for_policy = list_entities_for_policy  # type: ignore[method-assign]
    IAMBackend.delete_policy = delete_policy_if_unused  # type: ignore[method-assign]


def _forget_deleted_certificates() -> None:
    """Lets moto forget deleted certificates: it would answer a token with the certificate that it was for, and fail."""
    from moto.acm.models import AWSCertificateManagerBackend

    known = AWSCertificateManagerBackend._get_arn_from_idempotency_token

    def known_and_there(self: AWSCertificateManagerBackend, token: str) -> str | None:
        arn = known(self, token)
        return arn if arn in self._certificates else None

    AWSCertificateManagerBackend._get_arn_from_idempotency_token = known_and_there  # type: ignore[method-assign]


def _name_conflicts() -> None:
    """Gives an alias that exists the code that AWS gives it."""
    from moto.awslambda.exceptions import ConflictException, LambdaClientError

    def init(self: ConflictException, message: str) -> None:
        LambdaClientError.__init__(self, "ResourceConflictException", message)

    ConflictException.__init__ = init  # type: ignore[method-assign]


@contextmanager
def running_moto() -> Iterator[Moto]:
    from moto.server import ThreadedMotoServer

    read_descriptions_once()
    _never_number_twice()
    _write_one_at_a_time()
    _know_boundaries()
    _forget_deleted_certificates()
    _name_conflicts()
    know_edge_functions()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Moto(f"http://{host}:{port}")
    finally:
        server.stop()


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    with running_moto() as running:
        yield running
