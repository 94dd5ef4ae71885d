"""Makes the job of a container's worker, which a platform's supervisor makes elsewhere (hosts.job)."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import ServerError
from ...guard.access import Access
from ...guard.audit_chain import settings_of
from ...guard.issuer_file import read_issuer
from ...loading.environment import QUIET, REFERENCE, RESERVED, fill
from ...loading.manifest import APP_FOLDER, FILE_NAME, KEYS
from .files import place
from .layout import Layout
from .settings import URLS, Settings

if TYPE_CHECKING:
    from ...loading.manifest_data import ManifestData

# What an image may tell of itself: its server sees it, and each record has it.
ORIGIN = ("project", "release")


def make_job(layout: Layout, settings: Settings, environment: Mapping[str, str]) -> dict[str, Any]:
    """Returns the job as a message, after the server's folder was made ready.

    `environment` is the container's. Raises ServerError if something is missing that the server needs.
    """
    data: ManifestData = json.loads((layout.bundle / FILE_NAME).read_bytes())
    access = _access(layout, settings)
    _check_callers(data, access)
    secrets = _secrets(data, environment)
    _make_ready(layout, data)
    return {
        "mode": "serve",
        "manifest": {key: value for key, value in data.items() if key in KEYS},
        "bundle": str(layout.bundle),
        "workdir": str(layout.work),
        "layer": str(layout.layer),
        "environment": _variables(layout, data, secrets, environment),
        "secrets": {**secrets, **({"HOMEPORT_TOKEN": settings.token} if settings.token else {})},
        "names": None if settings.names is None else [*settings.names, *data.get("domains", ())],
        "idle_s": math.inf,
        "alone": True,
        "access": access.to_data() if access is not None else None,
        "relay_key": settings.relay_key,
        "audit": settings_of(data, is_open=access is None),
        "origin": {name: value for name in ORIGIN if (value := environment.get(f"{RESERVED}{name.upper()}"))},
    }


def _access(layout: Layout, settings: Settings) -> Access | None:
    """Returns who may call, None for everyone.

    Raises ServerError if callers sign in, and nothing says for which URL their tokens have to be: taken from a request
    it would be whatever a caller likes.
    """
    issuer = read_issuer(layout.bundle)
    if issuer is None:
        return settings.access
    urls = [*settings.urls, *issuer["urls"]]
    if not urls:
        raise ServerError(
            "callers sign in here, and nothing says at which URL they reach this server",
            hint=f"give the container {URLS}=https://mcp.example.com, or the project a public name under [domains]",
        )
    tokens = settings.access.tokens if settings.access is not None else ()
    return Access(tokens, {**issuer, "urls": urls})


def _check_callers(data: ManifestData, access: Access | None) -> None:
    """Raises ServerError if nothing says who may call: whoever reaches the container's port could."""
    auth, contract = data.get("auth"), data.get("contract") or {}
    guards_itself = auth is None and contract.get("guarded")
    if access is None and auth != "none" and not guards_itself:
        raise ServerError(
            "callers need a bearer token here, and the container has none",
            hint="give it HOMEPORT_TOKEN, or HOMEPORT_TOKEN_HASH with the token's SHA-256; for a server that everyone "
            'may call write mode = "none" under [auth] in fastmcp.toml, and make the image anew',
        )


def _secrets(data: ManifestData, environment: Mapping[str, str]) -> dict[str, str]:
    needed = sorted({name for text in data["environment"].values() for name in REFERENCE.findall(text)})
    missing = [name for name in needed if name not in environment]
    if missing:
        one = len(missing) == 1
        raise ServerError(
            f"the server needs the secret{'' if one else 's'} {', '.join(missing)}, which the container does not have",
            hint=f"give {'it' if one else 'each'} as an environment variable of that name",
        )
    return {name: environment[name] for name in needed}


def _variables(
    layout: Layout, data: ManifestData, secrets: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Returns the server's variables: what the container was given replaces what the configuration says, except where
    that is made of secrets.
    """
    configured = data["environment"]
    made = {name for name, text in configured.items() if REFERENCE.search(text)}
    given = {
        name: value
        for name, value in environment.items()
        if not name.startswith(RESERVED) and name not in secrets and name not in made
    }
    origin = {name: value for each in ORIGIN if (value := environment.get(name := f"{RESERVED}{each.upper()}"))}
    caches = {"UV_CACHE_DIR": str(layout.cache / "uv"), "npm_config_cache": str(layout.cache / "npm")}
    # An engine sets HOME to / for a user that its image does not know.
    return {**QUIET, **caches, **fill(configured, secrets), **given, **origin, "HOME": str(layout.home)}


def _make_ready(layout: Layout, data: ManifestData) -> None:
    try:
        for folder in (layout.work, layout.home, layout.cache, layout.sessions):
            folder.mkdir(parents=True, exist_ok=True)
        place(layout.bundle / APP_FOLDER, layout.work, data["files"], data.get("folders", ()))
        writable = os.access(layout.work, os.W_OK)
    except OSError as error:
        writable, reason, is_read_only = False, f": {error}", error.errno == errno.EROFS
    else:
        reason, is_read_only = "", False
    if not writable:
        other = "" if is_read_only else ", or run the image as its own user or another of group 0 (--user UID:0)"
        raise ServerError(
            f"the user {os.getuid()} cannot write {layout.state}, where the server runs{reason}",
            hint=f"mount a volume or a tmpfs that it may write at {layout.state}{other}",
        )
