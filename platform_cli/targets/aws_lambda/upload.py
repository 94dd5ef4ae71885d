"""Uploads a zip to AWS: within the call, or through a bucket of the account if it is too large for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...pipeline.archive import Archive
from .client import AWS, absent
from .names import bucket_name

MAX_DIRECT = 50 * 1024 * 1024
# With this rule AWS removes what a killed deploy has left there.
REMOVED = {"ID": "left", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}


def uploaded(aws: AWS, archive: Archive) -> dict[str, Any]:
    """Returns the arguments with which calls make a layer or a function of the zip."""
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
    """Deletes the uploaded zip after the call, since AWS has its own copy."""
    if "S3Bucket" in content:
        aws.buckets.delete_object(Bucket=content["S3Bucket"], Key=content["S3Key"])


def delete_empty_bucket(aws: AWS) -> None:
    """Deletes the bucket, unless another deploy has something in it."""
    with absent("NoSuchBucket", "BucketNotEmpty"):
        aws.buckets.delete_bucket(Bucket=bucket_name(aws.account, aws.region))
