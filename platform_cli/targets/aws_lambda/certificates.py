"""Requests the certificate of a project's own host names, which CloudFront takes from us-east-1 only.

AWS issues it once the DNS of each name has the record that proves who owns it:
https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import Retrying, stop_after_delay, wait_fixed
from tenacity.retry import retry_if_result

from .client import AWS, MISSING, absent
from .names import tag_list

ISSUED, PENDING = "ISSUED", "PENDING_VALIDATION"
# The seconds in which AWS creates the records, after it has answered.
RECORDS_S = 20


@dataclass(frozen=True, slots=True)
class Record:
    """Is a CNAME that somebody has to add to a DNS zone."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """Is a certificate; `records` prove its names, and have to stay for its renewals."""

    arn: str
    names: frozenset[str]
    status: str
    records: tuple[Record, ...]


def read_certificate(aws: AWS, arn: str) -> Certificate | None:
    with absent(MISSING):
        found = aws.certificates.describe_certificate(CertificateArn=arn)["Certificate"]
        options = found.get("DomainValidationOptions", ())
        records = {_record(one["ResourceRecord"]) for one in options if "ResourceRecord" in one}
        names = frozenset(found.get("SubjectAlternativeNames") or [found["DomainName"]])
        return Certificate(arn, names, found["Status"], tuple(sorted(records, key=lambda record: record.name)))
    return None


def request_certificate(aws: AWS, names: Sequence[str], tags: Mapping[str, str]) -> Certificate:
    """Requests a certificate; a request that is repeated within an hour returns the same one, unless
    that was deleted.
    """
    said = " ".join([*sorted(names), *tags.values()])
    arn = _request(aws, names, tags, said)
    if read_certificate(aws, arn) is None:
        arn = _request(aws, names, tags, f"{said} {arn}")
    known: Certificate | None = Retrying(
        retry=retry_if_result(lambda found: found is None or len(found.records) < len(found.names)),
        stop=stop_after_delay(RECORDS_S),
        wait=wait_fixed(1),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )(read_certificate, aws, arn)
    return known or Certificate(arn, frozenset(names), PENDING, ())


def _request(aws: AWS, names: Sequence[str], tags: Mapping[str, str], token: str) -> str:
    more = {"SubjectAlternativeNames": list(names)} if len(names) > 1 else {}
    made = aws.certificates.request_certificate(
        DomainName=names[0],
        ValidationMethod="DNS",
        IdempotencyToken=hashlib.sha256(token.encode()).hexdigest()[:32],
        Tags=tag_list(tags),
        **more,
    )
    return str(made["CertificateArn"])


def _record(said: Mapping[str, Any]) -> Record:
    return Record(said["Name"].rstrip("."), said["Value"].rstrip("."))
