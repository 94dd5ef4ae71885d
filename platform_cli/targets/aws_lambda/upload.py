"""How a zip gets to AWS: within the call, or by way of a bucket of the account where it is too large for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...pipeline.archive import Archive
from .client import AWS, absent
from .names import bucket_name

MAX_DIRECT = 50 * 1024 * 1024
# AWS removes what a deploy that was killed left there.
REMOVED = {"ID": "left", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}


def uploaded(aws: AWS, archive: Archive) -> dict[str, Any]:
    """The zip as the calls take it that make a layer or a function of it."""
    if archive.size <= MAX_DIRECT:
        return {"ZipFile": archive.path.read_bytes()}
    bucket, key = bucket_name(aws.account, aws.region), f"{archive.sha256}.zip"
    place = {} if aws.region == "us-east-1" else {"LocationConstraint": aws.region}
    with absent("BucketAlreadyOwnedByYou"):
        configuration = {"CreateBucketConfiguration": place} if place else {}
        aws.buckets.create_bucket(Bucket=bucket, **configuration)
    aws.buckets.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [REMOVED]})
    aws.buckets.upload_file(str(archive.path), bucket, key)
    return {"S3Bucket": bucket, "S3Key": key}


def discard(aws: AWS, content: Mapping[str, Any]) -> None:
    """After the call that took it: AWS has a copy of its own."""
    if "S3Bucket" in content:
        aws.buckets.delete_object(Bucket=content["S3Bucket"], Key=content["S3Key"])


def delete_empty_bucket(aws: AWS) -> None:
    """Unless there is none, or another deploy has something in it."""
    with absent("NoSuchBucket", "BucketNotEmpty"):
        aws.buckets.delete_bucket(Bucket=bucket_name(aws.account, aws.region))
