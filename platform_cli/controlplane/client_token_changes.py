"""Makes and revokes client tokens, which running servers know at once."""

from __future__ import annotations

import difflib
import re

from homeport_runtime.guard.scopes import Scopes

from ..api.client_token import ListedClientToken, NewClientToken, WantedClientToken
from ..errors import InputError
from ..pipeline.manifest import read_manifest
from .client_tokens import id_of
from .releases import Releases
from .stores import Stores

CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
USER = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
# The longest time for which a token may last, in seconds: a hundred years.
MAX_S = 100 * 365 * 86400.0


class ClientTokenChanges:
    def __init__(self, stores: Stores, releases: Releases) -> None:
        self._stores = stores
        self._releases = releases

    def listed(self, project: str) -> list[ListedClientToken]:
        self._stores.store.project(project)
        return self._stores.client_tokens.list_tokens(project)

    async def create(self, project: str, wanted: WantedClientToken) -> NewClientToken:
        """Returns a new client token.

        Raises InputError for what cannot be granted, and for a project that everyone may call.
        """
        async with self._releases.lock(project):
            self._stores.store.project(project)
            _check(wanted)
            if self._stores.callers(project) is None:
                raise InputError(
                    f"everyone may call {project}: a token would say nothing",
                    hint='write mode = "token" under [auth] in its fastmcp.toml, and deploy it',
                )
            for scope in wanted["scopes"] or ():
                self._check_scope(project, scope)
            token = self._stores.client_tokens.create(project, wanted)
            await self._releases.admit(project)
            made = next(each for each in self.listed(project) if each["id"] == id_of(token))
            return {**made, "token": token}

    async def revoke(self, project: str, token_id: str) -> None:
        """Ends a token.

        Raises NotFoundError if the project has none of that id.
        """
        async with self._releases.lock(project):
            self._stores.store.project(project)
            self._stores.client_tokens.revoke(project, token_id)
            await self._releases.admit(project)

    def _check_scope(self, project: str, scope: str) -> None:
        """Raises InputError for a scope that no rule of the active release asks for: it would allow nothing."""
        active = self._stores.store.active_release(project)
        scopes = Scopes.read(read_manifest(self._stores.home.bundles / active.bundle).get("scopes")) if active else None
        known = scopes.known if scopes is not None else ()
        if scope in known:
            return
        near = difflib.get_close_matches(scope, known, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        hint = f"it has {', '.join(known)}" if known else "write [scopes] into its fastmcp.toml, and deploy it"
        raise InputError(f"nothing in {project} needs the scope {scope!r}{meant}", hint=hint)


def _check(wanted: WantedClientToken) -> None:
    if not CLIENT.fullmatch(wanted["client"]):
        raise InputError(
            f"{wanted['client']!r} is no name of a client",
            hint="1 to 64 letters, digits, points, hyphens and underscores, such as claude-ai-prod",
        )
    if wanted["user"] is not None and not USER.fullmatch(wanted["user"]):
        raise InputError(f"{wanted['user']!r} is no name of a user", hint="without spaces, such as alice@company.com")
    if wanted["expires_s"] is not None and not 0 < wanted["expires_s"] <= MAX_S:
        raise InputError("a token ends in the future, and at most in a hundred years", hint="for example 90d")
