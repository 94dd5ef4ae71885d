"""Caddy in front of a public host: its configuration, handing that over, and a look whether it works.

Caddy is told through its admin API (https://caddyserver.com/docs/api). That decides over every project's traffic and
has no password, so it is a Unix socket in the platform's own folder, which servers do not see, and no port. The
Caddyfile that is written says so: whoever starts Caddy with it has it.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ..errors import PlatformError
from ..infra_files import infra_file
from ..platform_client.connections import LocalSocket
from ..supervisor.sockets import FIRST_PORT, HOST, LAST_PORT
from .domain import HTTPS, Domain
from .tcp import API_PORTS

# Seconds that Caddy has for an answer.
TIMEOUT_S = 10.0
# Where the names of any platform on this machine lead.
OURS = frozenset(f"{HOST}:{port}" for port in (*API_PORTS, *range(FIRST_PORT, LAST_PORT + 1)))


@dataclass(frozen=True, slots=True)
class Site:
    """Host names that lead to a port on this machine."""

    names: tuple[str, ...]
    port: int


def render(domain: Domain, sites: Iterable[Site], admin: Path) -> str:
    """A Caddyfile. With a port of its own there is no redirection from HTTP: Caddy would need port 80 for it."""
    site = Template(infra_file("caddy/site").read_text())
    options = [f'admin "unix/{admin}"']
    if domain.port != HTTPS:
        options = [f"https_port {domain.port}", "auto_https disable_redirects", *options]
    blocks = [site.substitute(names=", ".join(each.names), port=each.port) for each in sites if each.names]
    return Template(infra_file("caddy/Caddyfile").read_text()).substitute(
        options="".join(f"\t{line}\n" for line in options), sites="\n".join(blocks)
    )


def load(config: Path, admin: Path) -> bytes:
    """Makes the Caddy at the socket `admin` serve the Caddyfile `config`; returns what `served` says from then on.

    Raises PlatformError, with Caddy as it was.
    """
    others = _other_names(served(config, admin))
    if others:
        raise PlatformError(
            f"the Caddy at {admin} serves other names: {', '.join(sorted(others)[:3])}",
            hint="give the platform a Caddy of its own, and those names another one",
        )
    status, answer = _ask(config, admin, "POST", "/load", config.read_bytes())
    if status != 200:
        raise PlatformError(f"Caddy refuses the configuration: {_reason(answer)}", hint=f"see {config}")
    return served(config, admin)


def served(config: Path, admin: Path) -> bytes:
    """The configuration that Caddy has now, as JSON. Raises PlatformError."""
    status, answer = _ask(config, admin, "GET", "/config/")
    if status != 200:
        raise PlatformError(f"Caddy does not tell its configuration: {_reason(answer)}", hint="see Caddy's log")
    return answer


def check(domain: Domain, host: str, path: str, expected: int) -> None:
    """Asks Caddy on this machine for `path` of `host`, as a client would. Raises PlatformError.

    Certificates are not verified: those of a local authority are right as well.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", domain.port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as connected,
        ):
            connection = http.client.HTTPConnection(host)
            connection.sock = connected
            connection.request("GET", path)
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise PlatformError(
            f"https://{host}{path} cannot be had from Caddy: {error}",
            hint=f"see Caddy's log; to get a certificate, {host} must lead to this machine, with ports 80 and 443",
        ) from error
    if status != expected:
        raise PlatformError(f"https://{host}{path} answers with HTTP {status} through Caddy")


def _other_names(config: bytes) -> set[str]:
    """Host names that lead to something else than a platform's port; loading ours would end them."""
    found = json.loads(config) or {}
    return {
        name
        for server in found.get("apps", {}).get("http", {}).get("servers", {}).values()
        for route in server.get("routes", ())
        for matcher in route.get("match", ())
        for name in matcher.get("host", ())
        if not _is_ours(route)
    }


def _is_ours(route: object) -> bool:
    dialled = re.findall(r'"dial": "([^"]*)"', json.dumps(route))
    return bool(dialled) and all(address in OURS for address in dialled)


def _ask(config: Path, admin: Path, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = LocalSocket(admin).connection(TIMEOUT_S)
    try:
        # Over a socket there is no name of a host, and Caddy refuses one (RFC 9112, section 3.2).
        headers = {"Host": "", **({"Content-Type": "text/caddyfile"} if body is not None else {})}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise PlatformError(
            f"no Caddy answers at {admin}",
            hint=f"start it as the platform's user with `caddy run --config {config}`, or by the unit in "
            "infra/systemd, then `homeport platform start`; a Caddy on ports 80 and 443 must end first",
        ) from error
    finally:
        connection.close()


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer.decode("utf-8", "replace")[:500]
