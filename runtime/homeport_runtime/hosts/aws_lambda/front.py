"""Keeps the challenge of a refusal on its way to a client through a function's URL and CloudFront.

Function URLs rename WWW-Authenticate, by which a client learns where to log in and which scopes it lacks (RFC 9728,
section 5.1; RFC 6750, section 3.1). CloudFront could rename it back, but runs its functions only on answers below 400
(https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html). So what the
project's distribution asks for, by a header that it adds, is refused with 200, and the status and challenge are in
headers of their own; infra/aws/challenge.js restores both, and leaves the body as it is. Who sends that header to the
URL itself gets nothing by it but a refusal that does not look like one.
"""

from __future__ import annotations

from ...asgi import Headers, Scope, header

# The header that the project's distribution adds to each request.
MARK = b"x-homeport-front"
STATUS, CHALLENGE = b"x-homeport-status", b"x-homeport-challenge"
REFUSALS = (401, 403)


def as_addressed(scope: Scope, name: str) -> Scope:
    """Returns a request as its client has addressed it, at `name` if it came through CloudFront, which replaces the
    Host: a client believes no metadata of another one (RFC 9728, section 3.3).
    """
    if header(scope, MARK) is None:
        return scope
    others = [field for field in scope["headers"] if field[0] != b"host"]
    return {**scope, "headers": [*others, (b"host", name.encode())]}


def for_front(scope: Scope, status: int, headers: Headers) -> tuple[int, Headers]:
    """Returns the start of the answer to the request `scope` in the form in which its sender takes it."""
    if status not in REFUSALS or not any(name == MARK for name, _value in scope["headers"]):
        return status, headers
    challenges = [bytes(value) for name, value in headers if bytes(name).lower() == b"www-authenticate"]
    if not challenges:
        return status, headers
    others = [(name, value) for name, value in headers if bytes(name).lower() != b"www-authenticate"]
    return 200, [*others, (STATUS, b"%d" % status), (CHALLENGE, b", ".join(challenges))]
