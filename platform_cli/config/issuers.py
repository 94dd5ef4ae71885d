"""Reads who issues the tokens of a project's callers, where that is not the platform that runs it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..addresses import is_readable_on_the_way, read_http_url
from ..errors import ConfigError

if TYPE_CHECKING:
    from homeport_runtime.loading.manifest_data import IssuerData, LoginData

    from .project import Project

# The service that is no OpenID provider.
GITHUB = "github"
# The secret of the app by which people sign in elsewhere.
SIGN_IN_SECRET = "SIGN_IN_SECRET"  # noqa: S105 - its name


@dataclass(frozen=True, slots=True)
class Login:
    """Is where people sign in: at `service`, which is `github` or the URL of an OpenID provider, with the owner's app
    `client_id` there.
    """

    service: str
    client_id: str

    def data(self) -> LoginData:
        return {"service": self.service, "client_id": self.client_id}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Is another platform's authorization server, or somebody else's, known by its `url`.

    Its tokens are for one of `audience`, or for the project's own URLs. Their scopes are in the claim `scope_claim`,
    in which dots lead into objects.
    """

    url: str
    audience: tuple[str, ...] = ()
    scope_claim: str = "scope"

    def data(self) -> IssuerData:
        return {"url": self.url, "audience": list(self.audience), "scope_claim": self.scope_claim}


def issuer_of(data: IssuerData | None) -> Issuer | None:
    """Returns the issuer in a manifest, None without one."""
    return Issuer(data["url"], tuple(data["audience"]), data["scope_claim"]) if data else None


def issuer_url(value: object) -> str:
    """Reads an issuer's identifier (RFC 8414, section 2), which is https, or http on this machine."""
    parts = read_http_url(value) if isinstance(value, str) else None
    if not isinstance(value, str) or parts is None or is_readable_on_the_way(parts) or parts.query or parts.fragment:
        raise ValueError('must be the URL of an authorization server: "https://id.example.com"')
    return value


def login(value: object) -> str:
    """Reads where people sign in: `github`, or an OpenID provider's identifier."""
    try:
        return GITHUB if value == GITHUB else issuer_url(value)
    except ValueError:
        raise ValueError('must be "github" or the URL of an OpenID provider: "https://accounts.google.com"') from None


def claim(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_:/-]+(\.[A-Za-z0-9_:/-]+)*", value):
        raise ValueError('must be the name of a claim: "scope", or "realm_access.roles"')
    return value


def read_issuer(auth: Mapping[str, Any]) -> Issuer | None:
    """Returns the issuer that [auth] names, None without one."""
    if "issuer" not in auth:
        return None
    return Issuer(auth["issuer"], auth.get("audience", ()), auth.get("scope_claim", "scope"))


def check_issuer_decides(project: Project) -> None:
    """Raises ConfigError if the configuration says who may sign in, which nobody would tell the project's issuer."""
    if project.issuer is None:
        return
    for key, value in (("users", project.users), ("login", project.login)):
        if value is not None:
            raise ConfigError(
                f'"auth.{key}" is for sign-in by a platform: an issuer of your own decides who may',
                hint=f"if {project.issuer.url} is a platform, deploy from a machine that may register the project "
                f"there: `homeport platform login {project.issuer.url}`",
            )


def read_login(auth: Mapping[str, Any]) -> Login | None:
    """Returns where people sign in as [auth] says, None for the owner's approval."""
    return Login(auth["login"], auth.get("client_id", "")) if "login" in auth else None
