"""Refuses what a function cannot have without a platform: an authorization server of its own."""

from __future__ import annotations

from ...config.project import Project
from ...errors import ConfigError


def check_can_sign_in(project: Project) -> None:
    """Raises ConfigError for a sign-in that needs a platform."""
    if project.auth == "oauth" and project.issuer is None:
        raise ConfigError(
            '[auth] mode = "oauth" needs an authorization server, and on Lambda there is none',
            hint='issuer = "https://..." under [auth] names a platform\'s own or somebody else\'s; mode = "token" '
            "needs none; --target local is a platform with its own",
        )
