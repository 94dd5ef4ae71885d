"""Reads webhook deliveries: verifies the signature, and tells what a push or a pull request means for a branch.

See https://docs.github.com/webhooks/webhook-events-and-payloads.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from .repository import is_full_name

# The largest body that GitHub sends, in bytes: "payloads are capped at 25 MB".
MAX_BODY = 25 * 1024 * 1024
# A push with this many commits may have more, which the payload leaves out.
MAX_COMMITS = 2048
BRANCH = "refs/heads/"
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Push:
    """Says that a branch now points to `sha`; `paths` are the files that changed, None when they are not known."""

    repository_id: int
    repository: str
    branch: str
    sha: str
    paths: frozenset[str] | None

    def touches(self, folder: str) -> bool:
        return not folder or self.paths is None or any(path.startswith(f"{folder}/") for path in self.paths)


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Says that `sha` is proposed for the branch `base`; `from_fork` means that it comes from another repository."""

    repository_id: int
    repository: str
    number: int
    base: str
    sha: str
    is_open: bool
    from_fork: bool


def sign(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: str, body: bytes, signature: str | None) -> bool:
    """Tells whether a delivery has the right signature, compared in constant time.

    See https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries.
    """
    given = (signature or "").encode("utf-8", "surrogateescape")
    return hmac.compare_digest(sign(secret, body).encode(), given)


def read_event(name: str, body: bytes) -> Push | PullRequest | None:
    """Returns the push or pull request in a delivery; None for other events, deleted branches and tags.

    Raises ValueError for a body that GitHub would not send.
    """
    try:
        payload = json.loads(body)
        if not isinstance(payload, dict):
            raise ValueError("the payload is not an object")  # noqa: TRY004 - as for all that is wrong with it
        match name:
            case "push":
                return _push(payload)
            case "pull_request":
                return _pull_request(payload)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the payload lacks something: {error}") from None
    except RecursionError:
        raise ValueError("the payload is nested too deeply") from None
    return None


def _push(payload: dict[str, Any]) -> Push | None:
    ref = payload["ref"]
    if not ref.startswith(BRANCH) or payload["deleted"]:
        return None
    commits = payload["commits"]
    paths = {path for commit in commits for kind in ("added", "modified", "removed") for path in commit.get(kind, ())}
    is_whole = commits and len(commits) < MAX_COMMITS and not payload["forced"] and not payload["created"]
    return Push(
        **_repository(payload),
        branch=ref.removeprefix(BRANCH),
        sha=_sha(payload["after"]),
        paths=frozenset(map(str, paths)) if is_whole else None,
    )


def _pull_request(payload: dict[str, Any]) -> PullRequest | None:
    if payload["action"] not in ("opened", "reopened", "synchronize", "closed"):
        return None
    pull = payload["pull_request"]
    head = pull["head"]["repo"]
    return PullRequest(
        **_repository(payload),
        number=int(pull["number"]),
        base=str(pull["base"]["ref"]),
        sha=_sha(pull["head"]["sha"]),
        is_open=payload["action"] != "closed",
        from_fork=head is None or head["id"] != payload["repository"]["id"],
    )


def _repository(payload: dict[str, Any]) -> dict[str, Any]:
    repository = payload["repository"]
    if not is_full_name(repository["full_name"]):
        raise ValueError("the payload names no repository")
    return {"repository_id": int(repository["id"]), "repository": repository["full_name"]}


def _sha(text: str) -> str:
    if not _SHA.fullmatch(text):
        raise ValueError("the payload names no commit")
    return text
