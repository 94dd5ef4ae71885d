"""Another gateway from PyPI as a peer: IBM's ContextForge in front of a server, as its documentation starts it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.clients import environments

from .calls import STATELESS, Way, wait_for_answer
from .harness import QUIET, folder, free_port, process
from .throughput import Side

REQUIREMENT = "mcp-contextforge-gateway>=1,<2"
# Its database is made by a long row of migrations.
START_S = 300
ADMIN = "admin@example.com"


@contextmanager
def gateway(port: int) -> Iterator[Side]:
    """Yields the side of a gateway that has the server at `port` behind it, and answers its calls.

    Its scopes and its audit log are as it comes: callers have a token, and there are no plugins.
    """
    home = environments.made([REQUIREMENT], lambda into: environments.install_python(into, REQUIREMENT))
    own, password = free_port(), f"Aa1-{secrets.token_urlsafe(24)}"
    with folder("homeport-benchmark-gateway-") as path:
        command = [str(home / "bin" / "mcpgateway"), "--port", str(own)]
        with process(command, path, QUIET | _settings(path, password)) as running:
            token = _with_server(own, port, password)
            way = Way(STATELESS.era, token=token, path="/mcp/", prefix="peer-")
            wait_for_answer(own, way)
            yield Side(own, way, (running.pid,))


def _settings(folder: Path, password: str) -> dict[str, str]:
    """Returns its environment: one process over a file of SQLite, no page, and servers on this machine allowed."""
    return {
        "DATABASE_URL": f"sqlite:///{folder}/mcp.db",
        "JWT_SECRET_KEY": secrets.token_hex(32),
        "AUTH_ENCRYPTION_SECRET": secrets.token_hex(32),
        "PLATFORM_ADMIN_EMAIL": ADMIN,
        **dict.fromkeys(("PLATFORM_ADMIN_PASSWORD", "DEFAULT_USER_PASSWORD", "BASIC_AUTH_PASSWORD"), password),
        "MCPGATEWAY_UI_ENABLED": "false",
        "MCPGATEWAY_ADMIN_API_ENABLED": "false",
        "PLUGINS_ENABLED": "false",
        # It counts calls, as homeport does here, and refuses none.
        "RATE_LIMIT_MEDIUM_RPM": "600000",
        "SSRF_ALLOW_LOCALHOST": "true",
        "LOG_LEVEL": "ERROR",
    }


def _with_server(own: int, port: int, password: str) -> str:
    """Waits until the gateway at `own` answers, registers the server at `port`, and returns a token for its callers."""
    with httpx.Client(base_url=f"http://127.0.0.1:{own}", timeout=60, trust_env=False) as http:
        _wait(http)
        login = http.post("/auth/login", json={"email": ADMIN, "password": password}).raise_for_status().json()
        token: str = login["access_token"]
        server = {"name": "peer", "url": f"http://127.0.0.1:{port}/mcp", "transport": "STREAMABLEHTTP"}
        http.post("/gateways", json=server, headers={"authorization": f"Bearer {token}"}).raise_for_status()
        return token


def _wait(http: httpx.Client) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if http.get("/health").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"the gateway did not start within {START_S} s")
