"""Is the authorization server (OAuth 2.1): what its endpoints do, apart from HTTP and HTML."""

from __future__ import annotations

import base64
import hashlib
import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from homeport_runtime.guard.own_tokens import read_signed

from ..config.issuers import GITHUB
from ..errors import InputError, NotFoundError
from .access_tokens import ACCESS_S, REMOTE_ACCESS_S, sign_access_token
from .authorization import Pairs, answer_url, find_resource, parameter, resources_of
from .browsers import Browsers
from .documents import Documents
from .grants import Grants, new_grant_id
from .keys import ProjectKeys, PublicKeys
from .model import OFFLINE_ACCESS, OWNER, Client, Grant, OAuthError, Projects
from .pending import PendingSignIn, PendingSignIns
from .registered_clients import RegisteredClients
from .users import allowed_scopes

if TYPE_CHECKING:
    from .identities import Identities

# Where the public keys are, as most servers have it.
JWKS_PATH = "/.well-known/jwks.json"
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class AuthorizationServer:
    """Signs people in to `projects`.

    `issuer` returns the URL that identifies it, and `platform_key` the key from which those of projects are derived.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        projects: Projects,
        issuer: Callable[[], str],
        platform_key: Callable[[], bytes],
        documents: Callable[[RegisteredClients], Documents] = Documents,
    ) -> None:
        self.projects = projects
        self.issuer = issuer
        self.clients = RegisteredClients(db)
        self.pending = PendingSignIns(db)
        self.grants = Grants(db)
        self.browsers = Browsers(db)
        self.keys = ProjectKeys(db, platform_key)
        self.public_keys = PublicKeys(db, platform_key)
        self._documents = documents(self.clients)

    def identities(self, project: str) -> Identities | None:
        """Returns where people sign in to a project and come back from, None for the owner's approval and for codes.

        Raises OAuthError if the secret of the owner's app there is not set.
        """
        found = self.projects.find(project)
        if found is None or found.login is None or self.types_codes(project):
            return None
        secret = self.projects.login_secret(project)
        if secret is None:
            raise OAuthError("server_error", "The project's owner has not set the secret SIGN_IN_SECRET.", 500)
        # Imported late, since that takes long, and the platform serves before anybody signs in.
        from .identities import identities

        return identities(found.login, secret)

    def types_codes(self, project: str) -> bool:
        """Tells whether people sign in to a project by a code that they type at GitHub: where the owner's app there has
        no secret here.
        """
        found = self.projects.find(project)
        is_github = found is not None and found.login is not None and found.login.service == GITHUB
        return is_github and self.projects.login_secret(project) is None

    @property
    def callback(self) -> str:
        """Returns where other services send browsers back to."""
        return f"{self.issuer()}/authorize/callback"

    @property
    def jwks_uri(self) -> str:
        """Returns where the keys are by which resources elsewhere verify tokens (RFC 7517)."""
        return f"{self.issuer()}{JWKS_PATH}"

    def key_set(self) -> dict[str, Any]:
        """Returns what resources elsewhere need to verify tokens (RFC 7517, section 5), and which sign-ins have ended,
        whose tokens they do not believe any more.
        """
        return {"keys": self.public_keys.jwks(), "ended": self.grants.ended()}

    @property
    def is_public(self) -> bool:
        """Tells whether other machines reach it, by HTTPS."""
        return self.issuer().startswith("https://")

    def metadata(self) -> dict[str, Any]:
        """Returns the server's metadata (RFC 8414).

        On loopback it does not offer metadata documents, for which clients need no reason there: fetching them takes a
        way to the internet, and registering takes none.
        """
        issuer = self.issuer()
        scopes = dict.fromkeys(scope for project in self.projects.all() for scope in project.scopes)
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "registration_endpoint": f"{issuer}/register",
            "revocation_endpoint": f"{issuer}/revoke",
            "jwks_uri": self.jwks_uri,
            "scopes_supported": [*scopes, OFFLINE_ACCESS],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "client_id_metadata_document_supported": self.is_public,
        }

    async def find_client(self, client_id: str | None) -> Client:
        """Returns a client that is registered, or has a document.

        Raises OAuthError, `invalid_client`, for any other.
        """
        if client_id is not None and client_id.startswith("https://"):
            return await self._documents.find(client_id)
        client = self.clients.find(client_id) if client_id is not None else None
        if client is None:
            raise OAuthError("invalid_client", "the client is not registered here (any more)", 401)
        return client

    def finish(self, pending: PendingSignIn, user: str) -> str:
        """Ends a sign-in of `user`, and returns where the browser goes with the answer."""
        asked, project = pending.asked, self.projects.find(pending.asked.project)
        scopes = allowed_scopes(project, user, asked.scopes) if project else None
        if scopes is None or (project and project.scopes and not set(scopes) - {OFFLINE_ACCESS}):
            return self.refuse(pending, f"{user} may not sign in to {asked.project}, or not with these scopes")
        if not self.pending.end(pending):
            return self._answer(pending, error="access_denied", error_description="this sign-in is over")
        grant = Grant(new_grant_id(), asked.project, asked.client, user, asked.resource, scopes)
        code = self.grants.grant_code(grant, asked.client_name, asked.redirect_uri, asked.challenge)
        self.clients.use(asked.client)
        return self._answer(pending, code=code)

    def refuse(self, pending: PendingSignIn, reason: str) -> str:
        """Ends a sign-in without access, and returns where the browser goes with that answer."""
        self.pending.end(pending)
        return self._answer(pending, error="access_denied", error_description=reason)

    def _answer(self, pending: PendingSignIn, **answer: str) -> str:
        return answer_url(pending.asked.redirect_uri, self.issuer(), pending.asked.state, **answer)

    def approve(self, code: str, user: str = OWNER) -> PendingSignIn:
        """Approves the sign-in that shows `code`, for `user`.

        Raises NotFoundError if there is none, and InputError for a user who may not sign in.
        """
        pending = self.waiting(code)
        project = self.projects.find(pending.asked.project)
        if project is None or allowed_scopes(project, user, pending.asked.scopes) is None:
            raise InputError(
                f"{user} may not sign in to {pending.asked.project}",
                hint="[auth.users] in its fastmcp.toml says who may; without --user you are its owner",
            )
        self.pending.approve(pending, user)
        return pending

    def waiting(self, code: str) -> PendingSignIn:
        """Returns the sign-in that shows `code`.

        Raises NotFoundError if there is none.
        """
        pending = self.pending.find_code(code)
        if pending is None:
            raise NotFoundError(
                f"no sign-in waits for the code {code!r}",
                hint="the page in the browser shows the code, for ten minutes; connect the client again for a new one",
            )
        return pending

    def exchange(self, form: Pairs) -> dict[str, Any]:
        """Answers the token endpoint (OAuth 2.1, section 3.2).

        Raises OAuthError.
        """
        client = self._known_client(parameter(form, "client_id"))
        kind = parameter(form, "grant_type")
        if kind == "authorization_code":
            grant, refresh_token = self.grants.redeem(
                parameter(form, "code") or "",
                client,
                parameter(form, "redirect_uri"),
                _challenge_of(parameter(form, "code_verifier") or ""),
            )
            return self._tokens(self._narrowed(grant, form), refresh_token)
        if kind == "refresh_token":
            token = parameter(form, "refresh_token") or ""
            # Before the token is replaced: who asks for too much goes on with the one that it has.
            grant = self._narrowed(self.grants.check_refresh(token, client), form)
            return self._tokens(grant, self.grants.replace(token, grant.id))
        raise OAuthError("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")

    def revoke(self, form: Pairs) -> None:
        """Ends the grant of a refresh token; any other token is none of ours (RFC 7009, section 2.2)."""
        client = self._known_client(parameter(form, "client_id"))
        grant = self.grants.grant_of(parameter(form, "token") or "")
        if grant is not None and grant.client == client:
            self.grants.end(grant.id)

    def hear_of_refusal(self, token: str) -> None:
        """Notes that a resource elsewhere has refused a call with this access token, for want of a scope.

        Raises OAuthError for a token that is not valid there.
        """
        claims = read_signed(token, "ES256", self.public_keys.has_signed)
        if claims is None or claims["iss"] != self.issuer() or claims["exp"] <= time.time():
            raise OAuthError("invalid_token", "the access token is none of this server's, or has expired", 401)
        found = find_resource(claims["aud"], self.projects)
        if found is not None:
            self.grants.refused(claims["jti"], found[0].name)

    def end(self, resource: str, user: str) -> int:
        """Ends the sign-ins of a user to a resource elsewhere, and returns how many there were; there it hears of it
        within a minute.

        Raises NotFoundError if the user has not signed in.
        """
        self.check_signed_in(resource, user)
        return self.grants.end_of(resource, user)

    def check_signed_in(self, project: str, user: str) -> None:
        """Raises NotFoundError if a user has not signed in to a project."""
        if not self.grants.has(project, user):
            raise NotFoundError(
                f"{user} has not signed in to {project}", hint=f"`homeport users list {project}` shows who has"
            )

    def forget(self, project: str) -> None:
        """Ends every sign-in to a project, or a resource elsewhere, that is no more, and its keys."""
        self.grants.end_of(project)
        self.pending.forget(project)
        self.browsers.forget_project(project)
        self.keys.replace(project)

    def _known_client(self, client_id: str | None) -> str:
        if client_id is None or not self.clients.knows(client_id):
            raise OAuthError("invalid_client", "the client is not registered here (any more)", 401)
        return client_id

    def _narrowed(self, grant: Grant, form: Pairs) -> Grant:
        """Returns the grant with the scopes that a refresh asks for, all of them if it asks for none.

        Raises OAuthError for another resource, and for scopes that were not granted.
        """
        resource, scope = parameter(form, "resource"), parameter(form, "scope")
        found = find_resource(resource, self.projects) if resource is not None else None
        if resource is not None and (found is None or found[0].name != grant.project):
            raise OAuthError("invalid_target", "the grant is for another resource")
        project = self.projects.find(grant.project)
        if project is None or grant.resource not in resources_of(project):
            # Another project's server may be there now.
            raise OAuthError("invalid_grant", "people do not sign in to this resource any more")
        allowed = allowed_scopes(project, grant.user, grant.scopes)
        if allowed is None:
            raise OAuthError("invalid_grant", "the user may not sign in any more")
        wanted = set((scope or "").split()) or set(allowed)
        if not wanted <= set(grant.scopes) | {OFFLINE_ACCESS}:
            raise OAuthError("invalid_scope", "these scopes were not granted")
        return replace(grant, scopes=tuple(each for each in allowed if each in wanted))

    def _tokens(self, grant: Grant, refresh_token: str) -> dict[str, Any]:
        found = self.projects.find(grant.project)
        is_elsewhere = found is not None and found.is_elsewhere
        signer = self.public_keys.signing() if is_elsewhere else self.keys.signing(grant.project)
        life_s = REMOTE_ACCESS_S if is_elsewhere else ACCESS_S
        answer: dict[str, Any] = {
            "access_token": sign_access_token(grant, self.issuer(), signer, life_s),
            "token_type": "Bearer",
            "expires_in": life_s,
            "refresh_token": refresh_token,
        }
        return {**answer, "scope": " ".join(grant.scopes)} if grant.scopes else answer


def _challenge_of(verifier: str) -> str:
    """Returns the challenge of a PKCE verifier (RFC 7636, section 4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        raise OAuthError("invalid_grant", "code_verifier must have 43 to 128 letters, digits, -._~")
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
