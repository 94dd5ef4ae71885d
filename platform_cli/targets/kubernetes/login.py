"""Makes the settings of an HTTP client that trusts a cluster, and logs in to it, as its kubeconfig says."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TypedDict

import httpx

from .exec_credentials import Credentials, ExecPlugin
from .kubeconfig import ClusterLogin, Connection

TIMEOUT_S = 30.0
UNAUTHORIZED = 401


class ClientSettings(TypedDict):
    """Holds the arguments of an httpx client of a cluster."""

    base_url: str
    verify: ssl.SSLContext
    auth: httpx.Auth | None
    headers: dict[str, str]
    timeout: float
    proxy: str | None


def client_settings(connection: Connection) -> ClientSettings:
    login = connection.login
    plugin = _Plugin(connection, login.plugin) if login.plugin else None
    first = plugin.credentials if plugin else None
    certificate = (first.certificate, first.key) if first and first.certificate else (login.certificate, login.key)
    return {
        "base_url": connection.server,
        "verify": _trusting(connection, *certificate),
        "auth": plugin or _auth(login),
        "headers": {"Accept": "application/json, */*", "User-Agent": "homeport"},
        "timeout": TIMEOUT_S,
        "proxy": connection.proxy,
    }


def _trusting(connection: Connection, certificate: bytes | None, key: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=connection.ca.decode("ascii", "replace") if connection.ca else None)
    if connection.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        # OpenSSL reads certificates of one's own from files alone.
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "client.pem")
            file.touch(mode=0o600)
            file.write_bytes(certificate + b"\n" + (key or b""))
            context.load_cert_chain(file)
    return context


def _auth(login: ClusterLogin) -> httpx.Auth | None:
    if login.token_file is not None or login.token is not None:
        return _Bearer(login)
    return httpx.BasicAuth(*login.basic) if login.basic else None


class _Bearer(httpx.Auth):
    """Sends a token; that of a file is read each time, since whoever wrote it replaces it before it expires."""

    def __init__(self, login: ClusterLogin) -> None:
        self._login = login

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        file = self._login.token_file
        token = file.read_text("ascii").strip() if file else self._login.token
        request.headers["Authorization"] = f"Bearer {token}"
        yield request


class _Plugin(httpx.Auth):
    """Sends the token of a plugin, and asks it once for another one when the cluster refuses that."""

    def __init__(self, connection: Connection, plugin: ExecPlugin) -> None:
        self._connection = connection
        self._plugin = plugin
        self.credentials = self._run()

    def _run(self) -> Credentials:
        to = self._connection
        return self._plugin.run({"server": to.server, "insecure-skip-tls-verify": to.insecure})

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        answer = yield self._with_token(request)
        if answer.status_code == UNAUTHORIZED and self.credentials.token:
            self.credentials = self._run()
            yield self._with_token(request)

    def _with_token(self, request: httpx.Request) -> httpx.Request:
        if self.credentials.token:
            request.headers["Authorization"] = f"Bearer {self.credentials.token}"
        return request
