"""Makes the file by which a function knows somebody else's authorization server
(homeport_runtime.hosts.aws_lambda.issuer).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from homeport_runtime.guard.scopes import Scopes

from ...config.project import Project
from ...errors import ConfigError
from ...signin.issuers import find_keys

if TYPE_CHECKING:
    from homeport_runtime.hosts.aws_lambda.issuer import IssuerFile


def check_can_sign_in(project: Project) -> None:
    """Raises ConfigError for a sign-in that needs a platform."""
    if project.auth == "oauth" and project.issuer is None:
        raise ConfigError(
            '[auth] mode = "oauth" needs an authorization server, and on Lambda there is none of homeport\'s own',
            hint='issuer = "https://..." under [auth] names somebody else\'s; mode = "token" needs none; '
            "--target local is a platform with its own",
        )


def issuer_file(project: Project) -> bytes | None:
    """Returns the content of the file, with the issuer's present keys, None without an issuer.

    Raises PlatformError if the keys cannot be had.
    """
    if project.auth != "oauth" or project.issuer is None:
        return None
    found = asyncio.run(find_keys(project.issuer.url))
    scopes = Scopes.read(project.scopes.data() if project.scopes else None)
    said: IssuerFile = {
        "issuer": project.issuer.url,
        "audience": list(project.issuer.audience),
        "scope_claim": project.issuer.scope_claim,
        "jwks_uri": found.url,
        # Their order means nothing, and must make no new release.
        "jwks": sorted(found.keys, key=json.dumps),
        "scopes": list(scopes.baseline) if scopes else [],
        "has_scopes": bool(scopes and scopes.known),
    }
    return json.dumps(said, sort_keys=True).encode()
