"""Asks another service who somebody is: GitHub, or any OpenID provider (OpenID Connect Core 1.0), where the project's
owner has registered an app.

Its tokens are used once, to learn the user's name, and never kept. The browser comes back with a cookie that it got
when its user had consented: the verifier of PKCE and the nonce are made of that, so that no other browser can go on.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from ..config.issuers import GITHUB, Login
from .model import OAuthError

TIMEOUT_S = 20.0
GITHUB_URL, GITHUB_API = "https://github.com", "https://api.github.com"
# The seconds by which clocks may differ.
LEEWAY_S = 240


class Identities(Protocol):
    """Knows people by another service."""

    async def page(self, redirect_uri: str, state: str, browser: str) -> str:
        """Returns the page on which the user signs in there, which leads back to `redirect_uri`."""
        ...

    async def user(self, redirect_uri: str, code: str, browser: str) -> str:
        """Returns the name of the user who comes back with `code`.

        Raises OAuthError if the service does not say.
        """
        ...


def identities(login: Login, secret: str) -> Identities:
    return GitHubUsers(login.client_id, secret) if login.service == GITHUB else OpenIDUsers(login, secret)


@dataclass(frozen=True, slots=True)
class GitHubUsers:
    """Knows people by their GitHub accounts (https://docs.github.com/apps/oauth-apps): their name there."""

    client_id: str
    secret: str
    server_url: str = GITHUB_URL
    api_url: str = GITHUB_API

    async def page(self, redirect_uri: str, state: str, browser: str) -> str:
        asked = {"client_id": self.client_id, "redirect_uri": redirect_uri, "state": state, **_challenge(browser)}
        return f"{self.server_url}/login/oauth/authorize?{urlencode(asked)}"

    async def user(self, redirect_uri: str, code: str, browser: str) -> str:
        form = {
            "client_id": self.client_id,
            "client_secret": self.secret,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": _verifier(browser),
        }
        async with ask_client() as http:
            said = await answered(http, "POST", f"{self.server_url}/login/oauth/access_token", data=form)
            headers = {"authorization": f"Bearer {text_of(said, 'access_token')}"}
            return text_of(await answered(http, "GET", f"{self.api_url}/user", headers=headers), "login")


@dataclass(frozen=True, slots=True)
class OpenIDUsers:
    """Knows people by an OpenID provider: by their email address if the provider has verified it, else by `sub`."""

    login: Login
    secret: str

    async def page(self, redirect_uri: str, state: str, browser: str) -> str:
        asked = {
            "response_type": "code",
            "client_id": self.login.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email",
            "state": state,
            "nonce": _nonce(browser),
            **_challenge(browser),
        }
        async with ask_client() as http:
            return f"{text_of(await self._metadata(http), 'authorization_endpoint')}?{urlencode(asked)}"

    async def user(self, redirect_uri: str, code: str, browser: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self.login.client_id,
            "client_secret": self.secret,
            "code_verifier": _verifier(browser),
        }
        async with ask_client() as http:
            endpoint = text_of(await self._metadata(http), "token_endpoint")
            claims = _claims(text_of(await answered(http, "POST", endpoint, data=form), "id_token"))
        # It came from the provider itself over TLS, which may stand for its signature (section 3.1.3.7, item 6).
        audience = claims.get("aud")
        if (
            claims.get("iss") != self.login.service
            or self.login.client_id not in (audience if isinstance(audience, list) else [audience])
            or claims.get("nonce") != _nonce(browser)
            or not isinstance(claims.get("exp"), int | float)
            or claims["exp"] + LEEWAY_S < time.time()
        ):
            raise OAuthError("access_denied", "the identity provider's answer is not for this sign-in")
        return text_of(claims, "email") if claims.get("email_verified") is True else text_of(claims, "sub")

    async def _metadata(self, http: httpx.AsyncClient) -> Mapping[str, Any]:
        said = await answered(http, "GET", f"{self.login.service.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self.login.service:
            raise OAuthError("temporarily_unavailable", "the identity provider's metadata is that of another one", 502)
        return said


def ask_client() -> httpx.AsyncClient:
    """Returns what asks another service."""
    return httpx.AsyncClient(timeout=TIMEOUT_S)


async def answered(http: httpx.AsyncClient, method: str, url: str, **options: Any) -> Mapping[str, Any]:
    """Returns what another service answers in JSON.

    Raises OAuthError if it does not.
    """
    try:
        headers = {"accept": "application/json", **options.pop("headers", {})}
        response = await http.request(method, url, headers=headers, **options)
        response.raise_for_status()
        said = response.json()
    except (httpx.HTTPError, ValueError) as error:
        # What it says may have the secret in it.
        raise OAuthError(
            "temporarily_unavailable", "the identity provider does not answer as it should", 502
        ) from error
    return said if isinstance(said, dict) else {}


def _claims(token: str) -> Mapping[str, Any]:
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, IndexError):
        claims = None
    return claims if isinstance(claims, dict) else {}


def text_of(said: Mapping[str, Any], name: str) -> str:
    """Returns a text that another service has said.

    Raises OAuthError if it has not.
    """
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise OAuthError("access_denied", "the identity provider does not say who this is")
    return value


def _verifier(browser: str) -> str:
    return _digest(f"verifier {browser}")


def _nonce(browser: str) -> str:
    return _digest(f"nonce {browser}")


def _challenge(browser: str) -> dict[str, str]:
    return {"code_challenge": _digest(_verifier(browser)), "code_challenge_method": "S256"}


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
