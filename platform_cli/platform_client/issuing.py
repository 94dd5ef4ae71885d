"""Makes a project that runs elsewhere one whose callers sign in at an authorization server: its keys go with the
release, and where that server is a platform's, the project is registered there.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from homeport_runtime.guard.scopes import Scopes

from ..config.hosts import is_public
from ..config.issuers import GITHUB, SIGN_IN_SECRET, Issuer, check_issuer_decides
from ..config.project import Project
from ..errors import ConfigError, HomeportError, PlatformError
from ..home import Home
from ..signin.issuers import FoundKeys, find_keys
from .client import PlatformClient
from .connections import Remote, find_remote, kept_token

if TYPE_CHECKING:
    from homeport_runtime.guard.issuer_file import IssuerFile

    from ..api.resource import ListedResource, WantedResource

PLATFORM_VARIABLE = "HOMEPORT_PLATFORM"


def find_issuing_platform(issuer: Issuer, home: Home) -> PlatformClient | None:
    """Returns the platform that is `issuer`: that of this machine, or one that this machine has a token of; None for
    everybody else's authorization server.
    """
    here = PlatformClient(home)
    if _is_issuer(here, issuer):
        return here
    if urlsplit(issuer.url).path:
        # A platform's has none.
        return None
    # A token of HOMEPORT_TOKEN goes to the platform that was named with it, and to nobody whom a project names.
    if os.environ.get(PLATFORM_VARIABLE) == issuer.url:
        return PlatformClient(home, remote=find_remote(issuer.url, home))
    token = kept_token(issuer.url, home)
    return PlatformClient(home, remote=Remote(issuer.url, token)) if token else None


def _is_issuer(here: PlatformClient, issuer: Issuer) -> bool:
    try:
        return here.issuer_keys()["issuer"] == issuer.url
    except HomeportError:
        # None runs here, or one that is older.
        return False


def issuer_file(project: Project, home: Home) -> bytes | None:
    """Returns the content of the file by which a function or an image knows the project's issuer, with its present
    keys, None without an issuer.

    Raises PlatformError if the keys cannot be had.
    """
    if project.auth != "oauth" or project.issuer is None:
        return None
    found = _keys(project.issuer, home)
    scopes = Scopes.read(project.scopes.data() if project.scopes else None)
    said: IssuerFile = {
        "issuer": project.issuer.url,
        "audience": list(project.issuer.audience),
        "scope_claim": project.issuer.scope_claim,
        "jwks_uri": found.url,
        # Their order means nothing, and must make no new release.
        "jwks": sorted(found.keys, key=json.dumps),
        "urls": public_urls(project),
        "scopes": list(scopes.baseline) if scopes else [],
        "has_scopes": bool(scopes and scopes.known),
        "is_platform": found.is_platform,
    }
    return json.dumps(said, sort_keys=True).encode()


def public_urls(project: Project) -> list[str]:
    """Returns the URLs of a project's public names, without a path."""
    return [f"https://{name}" for name in project.domains if is_public(name)]


def _keys(issuer: Issuer, home: Home) -> FoundKeys:
    platform = find_issuing_platform(issuer, home)
    if platform is None:
        return asyncio.run(find_keys(issuer.url))
    # Before anything is registered there, it tells nobody else that it is an authorization server.
    said = platform.issuer_keys()
    return FoundKeys(said["jwks_uri"], list(said["keys"]), is_platform=True)


class Registration:
    """Registers a project with the platform that is its issuer, so that this issues tokens for it."""

    def __init__(self, project: Project, platform: PlatformClient) -> None:
        self._project = project
        self._platform = platform

    @classmethod
    def of(cls, project: Project, home: Home) -> Registration | None:
        """Returns the registration of a project, None where the issuer is no platform, or none that this machine knows.

        Raises ConfigError if the configuration says what only a registration brings there.
        """
        if project.auth != "oauth" or project.issuer is None:
            return None
        platform = find_issuing_platform(project.issuer, home)
        if platform is not None:
            _login_secret(project)
            return cls(project, platform)
        check_issuer_decides(project)
        return None

    def carry_out(self, name: str, urls: Sequence[str]) -> ListedResource:
        """Registers the project as `name`, which is called at `urls`, without a path.

        Raises PlatformError if the platform does not take it.
        """
        try:
            return self._platform.register_resource(self._wanted(name, urls))
        except HomeportError as error:
            raise PlatformError(
                f"{name} serves, but nobody can sign in to it: {error.message}",
                hint=f"{error.hint}; then deploy it again" if error.hint else "deploy it again",
            ) from error

    def _wanted(self, name: str, urls: Sequence[str]) -> WantedResource:
        project = self._project
        scopes = Scopes.read(project.scopes.data() if project.scopes else None)
        return {
            "project": name,
            "urls": list(urls),
            "scopes": scopes.known if scopes else [],
            "baseline": list(scopes.baseline) if scopes else [],
            "implies": {scope: list(contained) for scope, contained in scopes.implies.items()} if scopes else {},
            "users": {user: list(most) for user, most in project.users.items()} if project.users is not None else None,
            "login": {"service": project.login.service, "client_id": project.login.client_id}
            if project.login
            else None,
            "login_secret": _login_secret(project),
        }


def _login_secret(project: Project) -> str | None:
    """Returns the secret of the app at which people sign in, from this process's environment.

    Raises ConfigError if people cannot sign in without it.
    """
    secret = os.environ.get(SIGN_IN_SECRET)
    if project.login is not None and project.login.service != GITHUB and not secret:
        raise ConfigError(
            f"people sign in at {project.login.service}, and the secret of your app there is not given",
            hint=f"{SIGN_IN_SECRET}=... homeport deploy: the platform that is the issuer keeps it, and nobody else",
        )
    return secret if project.login is not None else None
