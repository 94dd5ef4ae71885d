"""Defines what was built of a project for AWS Lambda."""

from __future__ import annotations

from dataclasses import dataclass

from ..base import Candidate
from .desired import DesiredState


@dataclass(frozen=True, slots=True)
class LambdaCandidate(Candidate):
    """Is a candidate; `desired` is its desired state on AWS."""

    desired: DesiredState
