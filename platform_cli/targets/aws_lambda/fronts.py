"""Makes what leads a project's own host names to its function: a certificate, and once it is issued a distribution.

Tags of the function hold their ids, so that projects without such names need no permission to look for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...api.status import Front as FrontShape
from .certificates import ISSUED, PENDING, Certificate, Record, read_certificate, request_certificate
from .challenges import challenge_arn, make_challenge, remove_challenge
from .client import AWS, MISSING, absent
from .desired import DesiredState
from .distributions import (
    Distribution,
    Front,
    make_distribution,
    read_distribution,
    remove_distribution,
    update_distribution,
)
from .names import TAG, function_name
from .places import arn

CERTIFICATE_TAG, DISTRIBUTION_TAG = "homeport:certificate", "homeport:front"
TAGS = (CERTIFICATE_TAG, DISTRIBUTION_TAG)


@dataclass(frozen=True, slots=True)
class LiveFront:
    """Holds what exists of a front."""

    certificate: Certificate | None
    distribution: Distribution | None

    @property
    def is_issued(self) -> bool:
        return self.certificate is not None and self.certificate.status == ISSUED

    @property
    def records(self) -> tuple[Record, ...]:
        """Returns the records that DNS needs for it."""
        proofs = self.certificate.records if self.certificate else ()
        ours = self.distribution
        aliases = sorted(ours.config["Aliases"].get("Items", ())) if ours else ()
        return (*proofs, *(Record(name, ours.domain) for name in aliases if ours))

    def data(self) -> FrontShape:
        return {
            "names": sorted(self.certificate.names) if self.certificate else [],
            "certificate": self.certificate.status if self.certificate else None,
            "distribution": self.distribution.status if self.distribution else None,
            "records": [{"type": "CNAME", "name": one.name, "value": one.value} for one in self.records],
        }


def read_front(aws: AWS, tags: Mapping[str, str]) -> LiveFront | None:
    """Returns the front that the function's tags name, None without one."""
    if not any(tag in tags for tag in TAGS):
        return None
    return LiveFront(
        certificate=read_certificate(aws, tags[CERTIFICATE_TAG]) if CERTIFICATE_TAG in tags else None,
        distribution=read_distribution(aws, tags[DISTRIBUTION_TAG]) if DISTRIBUTION_TAG in tags else None,
    )


def fits_certificate(desired: DesiredState, front: LiveFront | None) -> bool:
    found = front.certificate if front else None
    return found is not None and found.names == {*desired.fronted} and found.status in (ISSUED, PENDING)


def fits_distribution(aws: AWS, desired: DesiredState, front: LiveFront, url: str) -> bool:
    if front.certificate is None or front.distribution is None:
        return False
    return front.distribution.is_like(_front(aws, desired, url, front.certificate.arn))


def certify(aws: AWS, desired: DesiredState, front: LiveFront | None) -> None:
    """Requests a certificate; the one before stays in use until this one is issued."""
    made = request_certificate(aws, desired.fronted, {TAG: desired.project})
    _note(aws, desired.project, {CERTIFICATE_TAG: made.arn})
    before = front.certificate if front else None
    if before and before.arn != made.arn and not (front and front.distribution):
        _delete_certificate(aws, before.arn)


def put_front(aws: AWS, desired: DesiredState, front: LiveFront, url: str) -> None:
    """Creates or changes the distribution, once its certificate is issued."""
    if front.certificate is None:
        return
    make_challenge(aws)
    asked = _front(aws, desired, url, front.certificate.arn)
    before = front.distribution
    if before is None:
        reference = f"{asked.comment} {front.certificate.arn.rpartition('/')[2]}"
        number = make_distribution(aws, asked, reference, {TAG: desired.project})
        _note(aws, desired.project, {DISTRIBUTION_TAG: number})
        return
    update_distribution(aws, before.id, asked)
    old = str(before.config["ViewerCertificate"].get("ACMCertificateArn", ""))
    if old and old != front.certificate.arn:
        _delete_certificate(aws, old)
    for function in before.functions:
        if function != asked.challenge:
            remove_challenge(aws, function)


def remove_front(aws: AWS, project: str, front: LiveFront) -> None:
    """Removes the distribution first, since it uses the others."""
    challenges = {challenge_arn(aws)}
    if front.distribution:
        challenges.update(front.distribution.functions)
        remove_distribution(aws, front.distribution.id)
    for challenge in challenges:
        remove_challenge(aws, challenge)
    if front.certificate:
        _delete_certificate(aws, front.certificate.arn)
    _forget(aws, project, list(TAGS))


def shown(front: LiveFront) -> list[str]:
    """Describes what exists, for the person."""
    certificate, distribution = front.certificate, front.distribution
    found = [f"CloudFront distribution {distribution.domain}"] if distribution else []
    return found + ([f"certificate of {', '.join(sorted(certificate.names))}"] if certificate else [])


def _delete_certificate(aws: AWS, arn: str) -> None:
    """Deletes a certificate, but one that CloudFront still uses stays: it costs nothing, and is not renewed."""
    with absent(MISSING, "ResourceInUseException"):
        aws.certificates.delete_certificate(CertificateArn=arn)


def _front(aws: AWS, desired: DesiredState, url: str, certificate: str) -> Front:
    return Front(
        comment=f"{function_name(desired.project)} in {aws.region}",
        names=desired.fronted,
        origin=urlsplit(url).netloc,
        certificate=certificate,
        web_acl=desired.settings.web_acl,
        challenge=challenge_arn(aws),
    )


def _note(aws: AWS, project: str, tags: Mapping[str, str]) -> None:
    aws.functions.tag_resource(Resource=_function(aws, project), Tags=dict(tags))


def _forget(aws: AWS, project: str, tags: list[str]) -> None:
    aws.functions.untag_resource(Resource=_function(aws, project), TagKeys=tags)


def _function(aws: AWS, project: str) -> str:
    return arn(aws, "lambda", f"function:{function_name(project)}")
