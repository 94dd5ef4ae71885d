"""Checks what a client token is asked to be, before it is made."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from homeport_runtime.guard.access import PROJECT_TOKEN
from homeport_runtime.guard.scopes import Scopes

from ..api.client_token import WantedClientToken
from ..errors import InputError

CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
USER = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
# The longest time for which a token may last, in seconds: a hundred years.
MAX_S = 100 * 365 * 86400.0


def check_wanted(wanted: WantedClientToken) -> None:
    """Raises InputError for what no client token can be."""
    if not CLIENT.fullmatch(wanted["client"]):
        raise InputError(
            f"{wanted['client']!r} is no name of a client",
            hint="1 to 64 letters, digits, points, hyphens and underscores, such as claude-ai-prod",
        )
    if wanted["client"] == PROJECT_TOKEN:
        raise InputError(
            f"no client may be called {PROJECT_TOKEN}: in the audit log that is the project's own token",
            hint="give it another name, such as claude-ai-prod",
        )
    if wanted["user"] is not None and not USER.fullmatch(wanted["user"]):
        raise InputError(f"{wanted['user']!r} is no name of a user", hint="without spaces, such as alice@company.com")
    if wanted["expires_s"] is not None and not 0 < wanted["expires_s"] <= MAX_S:
        raise InputError("a token ends in the future, and at most in a hundred years", hint="for example 90d")


def check_scope(project: str, scope: str, data: Mapping[str, Any] | None) -> None:
    """Raises InputError for a scope that no rule of a manifest's [scopes] asks for: it would allow nothing."""
    scopes = Scopes.read(data)
    known = scopes.known if scopes is not None else ()
    if scope in known:
        return
    near = difflib.get_close_matches(scope, known, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    hint = f"it has {', '.join(known)}" if known else "write [scopes] into its fastmcp.toml, and deploy it"
    raise InputError(f"nothing in {project} needs the scope {scope!r}{meant}", hint=hint)
