"""Renders the configuration of the Caddy in front of a public host, loads it, and checks that it works.

Caddy is configured through its admin API (https://caddyserver.com/docs/api). Since that controls every project's
traffic and has no password, it is no port but a Unix socket in the platform's own folder, which servers do not see. The
Caddyfile itself sets that, so every Caddy that is started with it has it.
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

# The seconds that Caddy has to answer.
TIMEOUT_S = 10.0
# The addresses to which any platform's names on this machine lead.
OURS = frozenset(f"{HOST}:{port}" for port in (*API_PORTS, *range(FIRST_PORT, LAST_PORT + 1)))


@dataclass(frozen=True, slots=True)
class Site:
    """Holds host names that lead to a port on this machine."""

    names: tuple[str, ...]
    port: int


def render(domain: Domain, sites: Iterable[Site], admin: Path) -> str:
    """Returns a Caddyfile; with a port of its own there is no redirection from HTTP, for which Caddy would need port
    80.
    """
    site = Template(infra_file("caddy/site").read_text())
    options = [f'admin "unix/{admin}"']
    if domain.port != HTTPS:
        options = [f"https_port {domain.port}", "auto_https disable_redirects", *options]
    # Only clients of MCP understand the errors of a project; the API has its own.
    blocks = [
        site.substitute(
            names=", ".join(each.names),
            port=each.port,
            errors="" if each.port in API_PORTS else "\timport without_worker\n",
        )
        for each in sites
        if each.names
    ]
    return Template(infra_file("caddy/Caddyfile").read_text()).substitute(
        options="".join(f"\t{line}\n" for line in options), sites="\n".join(blocks)
    )


def load(config: Path, admin: Path) -> bytes:
    """Loads the Caddyfile `config` into the Caddy at the socket `admin`, and returns what `served` returns from then
    on.

    Raises PlatformError, and leaves Caddy as it was, if it serves other names, refuses the configuration, or does not
    answer.
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
    """Returns Caddy's present configuration as JSON.

    Raises PlatformError if Caddy does not answer.
    """
    status, answer = _ask(config, admin, "GET", "/config/")
    if status != 200:
        raise PlatformError(f"Caddy does not tell its configuration: {_reason(answer)}", hint="see Caddy's log")
    return answer


def check(domain: Domain, host: str, path: str, expected: int) -> None:
    """Requests `path` of `host` from Caddy on this machine, as a client would.

    Certificates are not verified, since those of a local authority are valid, too. Raises PlatformError if there is no
    answer, or another status than expected.
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
    """Returns host names that lead to something else than a platform's port, which loading a Caddyfile would end."""
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
        # A socket has no host name, and Caddy refuses one (RFC 9112, section 3.2).
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
