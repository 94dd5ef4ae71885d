"""Publishes a release again with the same code and other variables, to change secrets and tokens without a build."""

from __future__ import annotations

import secrets

from homeport_runtime.guard.access import CLIENT_TOKENS
from homeport_runtime.hosts.aws_lambda.access import STATE_SECRET

from ...bearer import hash_of, make_token
from .client import AWS
from .code import fetched, manifest_of
from .creation import update_function
from .desired import network
from .live import Live
from .names import function_name
from .origins import read_origins, write_origin
from .pins import Pin
from .publish import prune, publish, switch
from .secrets_manager import ProjectSecrets
from .versions import Version

# The keys of a version that UpdateFunctionConfiguration takes as they are.
KEPT = ("Role", "Runtime", "Handler", "MemorySize", "Timeout")


def republish(
    aws: AWS,
    project: str,
    live: Live,
    version: Version,
    *,
    release: int,
    reason: str,
    token_hash: str | None,
    pin: Pin | None,
    clients: str | None = None,
) -> None:
    """Publishes `version` as `release`, and leads `live` to it after it has answered; the caller holds the deploy lock.

    `token_hash` is that of the project's token, None if everyone may call. `clients` are the client tokens, None for
    those that `version` has. Raises HomeportError, with the active release still serving.
    """
    name = function_name(project)
    if pin is not None and pin.version is not None:
        ProjectSecrets(aws, project).pin(pin.version, release)
    token = make_token() if token_hash else None
    changed = {
        "HOMEPORT_RELEASE": f"v{release}",
        **({"HOMEPORT_TOKEN_HASH": f"{token_hash},{hash_of(token)}"} if token else {}),
        **(pin.variables if pin else {}),
    }
    kept = {key: value for key, value in version.variables.items() if key != "HOMEPORT_TOKEN_HASH"}
    if clients is not None:
        kept = {**{key: value for key, value in kept.items() if key != CLIENT_TOKENS}, **_with_clients(live, clients)}
    configuration = {
        "FunctionName": name,
        **{key: version.configuration[key] for key in KEPT},
        "Layers": version.layers,
        **network(version.network),
        "KMSKeyArn": version.configuration.get("KMSKeyArn", ""),
        "SnapStart": {"ApplyOn": version.configuration.get("SnapStart", {}).get("ApplyOn", "None")},
        "Environment": {"Variables": {**kept, **changed}},
    }
    with fetched(aws, project, version) as code:
        speaks_mcp = manifest_of(code)["contract"] is not None
        update_function(aws, configuration, code, version.configuration["Architectures"])
    number = publish(aws, project, live, release, f"{version.identity} {reason}", token, speaks_mcp=speaks_mcp)
    if origin := read_origins(aws, project).get(version.release):
        write_origin(aws, project, release, origin)
    switch(aws, project, number, newest=max(live.newest, release))
    prune(aws, project)


def _with_clients(live: Live, clients: str) -> dict[str, str]:
    """Returns the variables of client tokens. Instances need a secret of their own then: who shows a client token does
    not show the project's.
    """
    if not clients:
        return {}
    known = live.latest.state_secret if live.latest else None
    return {CLIENT_TOKENS: clients, STATE_SECRET: known or secrets.token_hex(32)}
