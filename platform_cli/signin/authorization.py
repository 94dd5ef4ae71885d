"""Reads what a client asks for at the authorization endpoint (OAuth 2.1, section 4.1.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from .model import OFFLINE_ACCESS, OAuthError, Projects, ProtectedProject
from .pending import Asked
from .redirects import is_registered

Pairs = Sequence[tuple[str, str]]
# A challenge is a SHA-256 in base64url (RFC 7636, section 4.2).
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
MAX_STATE = 4096


def parameter(pairs: Pairs, name: str) -> str | None:
    """Returns a parameter, None without it.

    Raises OAuthError for one that is there twice.
    """
    values = [value for key, value in pairs if key == name]
    if len(values) > 1:
        raise OAuthError("invalid_request", f"{name} is there more than once")
    return values[0] if values else None


def redirect_of(pairs: Pairs, registered: tuple[str, ...]) -> str:
    """Returns where the answer goes.

    Raises OAuthError, which is shown instead of sent there, if that is not where the client has said.
    """
    given = parameter(pairs, "redirect_uri")
    if given is None and len(registered) == 1:
        return registered[0]
    if given is None or not is_registered(given, registered):
        raise OAuthError("invalid_request", "redirect_uri is not one that the client has registered")
    return given


def read_asked(pairs: Pairs, client: str, client_name: str, redirect_uri: str, projects: Projects) -> Asked:
    """Returns what is asked for.

    Raises OAuthError, which is sent to the client.
    """
    if parameter(pairs, "response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    if parameter(pairs, "response_mode") not in (None, "query"):
        raise OAuthError("invalid_request", "response_mode must be query")
    if parameter(pairs, "prompt") == "none":
        raise OAuthError("login_required", "nobody signs in without seeing it")
    challenge = parameter(pairs, "code_challenge") or ""
    if parameter(pairs, "code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "PKCE with code_challenge_method=S256 is needed")
    state = parameter(pairs, "state")
    if state is not None and len(state) > MAX_STATE:
        raise OAuthError("invalid_request", f"state has more than {MAX_STATE} characters")
    project, resource = _resource(pairs, projects)
    scopes = _scopes(parameter(pairs, "scope"), project)
    return Asked(client, client_name, redirect_uri, state, challenge, project.name, resource, scopes)


def find_resource(resource: str, projects: Projects) -> tuple[ProtectedProject, str] | None:
    """Returns the project of a resource indicator (RFC 8707), and the indicator in its canonical form."""
    canonical = _canonical(resource)
    for project in projects.all():
        if canonical is not None and canonical in resources_of(project):
            return project, canonical
    return None


def resources_of(project: ProtectedProject) -> list[str]:
    """Returns the URLs for which a token of the project may be issued."""
    return [f"{url}{path}" for url in project.urls for path in ("/mcp", "/sse", "")]


def _resource(pairs: Pairs, projects: Projects) -> tuple[ProtectedProject, str]:
    given = [value for key, value in pairs if key == "resource"]
    if len(set(given)) == 1 and (found := find_resource(given[0], projects)):
        return found
    # A client that names none can only mean the one there is.
    if not given and len(projects.all()) == 1:
        project = projects.all()[0]
        return project, f"{project.urls[0]}/mcp"
    raise OAuthError("invalid_target", "resource must be the URL of one project that people sign in to")


def _scopes(asked: str | None, project: ProtectedProject) -> tuple[str, ...]:
    """Returns the scopes asked for that the project knows, or its baseline; others are left out, not refused, since
    clients ask for all that they have seen.
    """
    wanted = (asked or "").split()
    extra = (OFFLINE_ACCESS,) if OFFLINE_ACCESS in wanted else ()
    known = tuple(scope for scope in project.scopes if scope in wanted)
    return (*(known or project.baseline), *extra)


def _canonical(resource: str) -> str | None:
    try:
        parts = urlsplit(resource)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}{f':{port}' if port not in (None, default) else ''}{parts.path.rstrip('/')}"


def answer_url(redirect_uri: str, issuer: str, state: str | None, **answer: str) -> str:
    """Returns the redirect URI with an answer, which names its issuer (RFC 9207) and the client's own state."""
    said = urlencode({**answer, **({"state": state} if state is not None else {}), "iss": issuer})
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{said}"
