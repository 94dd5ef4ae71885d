"""Shares what boto3 reads of AWS's services, since reading it takes longer than most calls."""

from __future__ import annotations

from functools import cache


def read_descriptions_once() -> None:
    """Lets all sessions of boto3 in this process, and in those that are forked from it, have one loader."""
    import botocore.session

    botocore.session.create_loader = cache(botocore.session.create_loader)
