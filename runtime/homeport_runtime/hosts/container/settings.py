"""Reads from a container's environment where it serves, under which names, and who may call."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import ServerError
from ...guard.access import CLIENT_TOKENS, PROJECT_TOKEN, Access, ClientToken, read_clients
from ...guard.names import IN_CONTAINER, host_name

# The port where PORT names no other, as AgentCore expects it; Cloud Run, Knative and Fly set PORT.
DEFAULT_PORT = 8000
# The seconds for which a container accepts after SIGTERM, since a load balancer needs a moment to hear that it ends.
# Docker and Cloud Run allow 10 seconds until they kill it.
DRAIN_DELAY_S = 3.0
MAX_PORT = 65535
CLIENT_TOKENS_FILE = "HOMEPORT_CLIENT_TOKENS_FILE"
URLS = "HOMEPORT_URLS"
# A scheme, a host and perhaps a port.
ORIGIN = re.compile(r"https?://[^\s/?#@\"\\]+")
# The name of a host without a port, or an address of IPv6.
NAME = re.compile(r"[^\s/:?#@\"\\]+|[0-9A-Fa-f:.]+")
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Settings:
    """Holds the settings of a container.

    `names` are the host names that it answers to beside the loopback ones, None for every name. `token` is the bearer
    token if its value was given, and `token_hash` the hash of that and of others (guard.auth); both are None if none
    was given. `clients` are the tokens of single clients. `urls`, without a path, are those for which the tokens of an
    issuer may be, beside those in the image. After SIGTERM it accepts for `drain_delay_s` more seconds.
    `relay_key` is a secret of all replicas, None where there is one alone.
    """

    port: int
    names: tuple[str, ...] | None
    token: str | None
    token_hash: str | None
    clients: tuple[ClientToken, ...]
    urls: tuple[str, ...]
    drain_delay_s: float
    relay_key: str | None

    @property
    def access(self) -> Access | None:
        """Returns who may call, None for everyone."""
        access = Access.of_hashes(self.token_hash)
        tokens = (*(access.tokens if access else ()), *self.clients)
        return Access(tokens) if tokens else None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises ServerError for a variable that cannot be used."""
        names = _names(environment)
        # A secret that was made from a file often ends in a line break.
        token = environment.get("HOMEPORT_TOKEN", "").strip()
        hashes = [each.lower() for each in _list(environment.get("HOMEPORT_TOKEN_HASH", ""))]
        if not all(map(SHA256.fullmatch, hashes)):
            raise ServerError(
                "HOMEPORT_TOKEN_HASH is no hash of a token",
                hint="the SHA-256 of the token in 64 hexadecimal digits is expected; commas separate several",
            )
        if token:
            hashes.append(hashlib.sha256(token.encode()).hexdigest())
        return cls(
            port=read_port(environment),
            names=names or None,
            token=token or None,
            token_hash=",".join(hashes) or None,
            clients=_clients(environment),
            urls=_urls(environment),
            drain_delay_s=_delay(environment),
            relay_key=environment.get("HOMEPORT_RELAY_KEY", "").strip() or None,
        )


def _clients(environment: Mapping[str, str]) -> tuple[ClientToken, ...]:
    """Returns the client tokens in a file, which may be replaced by a new container, or in a variable: a JSON array of
    objects with `hash` and `client`, and `user`, `scopes` and `expires_at` where they are to be had.
    """
    text, path = environment.get(CLIENT_TOKENS, "").strip(), environment.get(CLIENT_TOKENS_FILE, "").strip()
    try:
        if path:
            text = Path(path).read_text("utf-8")
        clients = read_clients(text) if text else ()
    except OSError as error:
        raise ServerError(
            f"the file of {CLIENT_TOKENS_FILE} cannot be read: {error.strerror}", hint="mount it into the container"
        ) from None
    except ValueError:
        raise ServerError(
            f"{path or CLIENT_TOKENS} does not hold client tokens",
            hint='[{"hash": "SHA-256 in hexadecimal digits", "client": "cursor", "scopes": ["expense:read"]}]',
        ) from None
    if any(each.client == PROJECT_TOKEN for each in clients):
        raise ServerError(
            f"a client in {path or CLIENT_TOKENS} is called {PROJECT_TOKEN}",
            hint="give it another name: in the audit log that is the project's own token",
        )
    return clients


def _names(environment: Mapping[str, str]) -> tuple[str, ...]:
    names = _list(environment.get(IN_CONTAINER, ""))
    for name in names:
        if not NAME.fullmatch(name):
            meant = host_name(name if "//" in name else f"//{name}") or "mcp.example.com"
            raise ServerError(
                f"{IN_CONTAINER} has {name!r}, and not the name of a host alone", hint=f"{IN_CONTAINER}={meant}"
            )
    return names


def _urls(environment: Mapping[str, str]) -> tuple[str, ...]:
    urls = tuple(url.lower().rstrip("/") for url in _list(environment.get(URLS, "")))
    for url in urls:
        if not ORIGIN.fullmatch(url):
            raise ServerError(
                f"{URLS} has {url!r}, and not a URL without a path", hint=f"{URLS}=https://mcp.example.com"
            )
    return urls


def read_port(environment: Mapping[str, str]) -> int:
    """Returns the port.

    Raises ServerError if PORT is no port.
    """
    text = environment.get("PORT", "").strip()
    if not text:
        return DEFAULT_PORT
    if not text.isdecimal() or not 0 < int(text) <= MAX_PORT:
        raise ServerError(
            f"PORT is {text!r}, and not the number of a port", hint=f"PORT={DEFAULT_PORT}, or leave it out"
        )
    return int(text)


def _delay(environment: Mapping[str, str]) -> float:
    text = environment.get("HOMEPORT_DRAIN_DELAY_S", "").strip()
    if not text:
        return DRAIN_DELAY_S
    if not re.fullmatch(r"\d{1,5}(\.\d{1,9})?", text):
        raise ServerError(
            f"HOMEPORT_DRAIN_DELAY_S is {text!r}, and no number of seconds",
            hint=f"HOMEPORT_DRAIN_DELAY_S={DRAIN_DELAY_S:g}, or leave it out",
        )
    return float(text)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
