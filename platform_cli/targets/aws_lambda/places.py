"""Composes the ARNs of resources in an account and region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .names import bucket_name


class Place(Protocol):
    """Has the parts that ARNs begin with."""

    @property
    def partition(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def account(self) -> str: ...


@dataclass(frozen=True, slots=True)
class NamedPlace:
    partition: str
    region: str
    account: str


def arn(place: Place, service: str, resource: str) -> str:
    return f"arn:{place.partition}:{service}:{place.region}:{place.account}:{resource}"


def iam_arn(place: Place, resource: str) -> str:
    return global_arn(place, "iam", resource)


def global_arn(place: Place, service: str, resource: str) -> str:
    """Returns the ARN of a resource whose service is the same in all regions."""
    return f"arn:{place.partition}:{service}::{place.account}:{resource}"


def bucket_arn(place: Place) -> str:
    """Returns the ARN of the bucket for large uploads; the names of buckets are unique across accounts."""
    return f"arn:{place.partition}:s3:::{bucket_name(place.account, place.region)}"
