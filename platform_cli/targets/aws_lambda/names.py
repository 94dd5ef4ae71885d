"""What a project's resources are called on AWS."""

from __future__ import annotations

ALIAS = "live"
TAG = "homeport:project"
PREFIX = "homeport-"


def function_name(project: str) -> str:
    return f"{PREFIX}{project}"


def role_name(project: str) -> str:
    """A role's name may have 64 characters; a project's has 63 at most."""
    name = f"{PREFIX}{project}"
    return name if len(name) <= 64 else name[:64].rstrip("-")


def log_group(project: str) -> str:
    return f"/aws/lambda/{function_name(project)}"


def bucket_name(account: str, region: str) -> str:
    """Where what is too large for a direct upload goes through."""
    return f"{PREFIX}{account}-{region}"
