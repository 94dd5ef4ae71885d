"""Tests clients that are known by their metadata document, through a real Caddy at a platform with a domain.

Documents are fetched from public addresses alone (tests/signin/test_documents.py), so this one is in the store as if it
had been fetched just now.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from platform_cli.home import Home
from platform_cli.signin.model import Client
from platform_cli.signin.registered_clients import RegisteredClients
from tests.e2e.test_public_host import running_caddy
from tests.support import Platform, free_port, with_config, with_packages

from .claude_code import ClaudeCode
from .connect_proxy import leading_here
from .inspector import Inspector
from .person import Person
from .test_clients import CLIENTS, CONFIG, SERVER, command, run_with_person, scopes_of

pytestmark = pytest.mark.whole

DOCUMENT = "https://client.example/mcp.json"
# Without a port, as Claude Code's document has it.
REDIRECTS = ("http://localhost/callback", "http://127.0.0.1/oauth/callback")
# Claude Code's own. Version 2.1.197 has it as its id where the metadata says `client_id_metadata_document_supported`,
# and registers everywhere else.
CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata"


@dataclass(frozen=True)
class PublicProject:
    platform: Platform
    mcp_url: str
    authority: Path

    @property
    def environment(self) -> dict[str, str]:
        """Returns the environment of programs that trust its Caddy."""
        return {**os.environ, "SSL_CERT_FILE": str(self.authority), "NODE_EXTRA_CA_CERTS": str(self.authority)}

    def person(self) -> Person:
        return Person(self.platform, verify=ssl.create_default_context(cafile=str(self.authority)))


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicProject]:
    folder = tmp_path_factory.mktemp("public")
    platform = Platform(with_packages(folder / "home"))
    platform.run("platform", "start")
    domain = f"mcp.localhost:{free_port()}"
    with running_caddy(platform, folder / "caddy") as authority, pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", here_below_localhost(socket.getaddrinfo))
        try:
            platform.run("platform", "start", "--domain", domain)
            answer = platform.run("deploy", str(with_config(SERVER, CONFIG, folder)), "--name", "public")
            with closing(sqlite3.connect(Home(platform.home).store, isolation_level=None, timeout=60)) as db:
                for client in (
                    Client(DOCUMENT, "A document's client", REDIRECTS),
                    Client(CLAUDE_CODE, "Claude Code", REDIRECTS),
                ):
                    RegisteredClients(db).put(client, fresh_until=time.time() + 3600)
            yield PublicProject(platform, answer["mcp_url"], authority)
        finally:
            platform.stop()


def here_below_localhost(found: Any) -> Any:
    """Returns a look-up that finds names below `localhost` on this machine, as browsers do."""

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        return found("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more)

    return look_up


@pytest.mark.parametrize("client", CLIENTS)
def test_client_with_a_document_signs_in_and_asks_for_more(public: PublicProject, client: str) -> None:
    program = command(client, public.mcp_url, DOCUMENT, finds_localhost=True)
    pages, texts = run_with_person(program, public.person(), public.environment)
    assert texts[1] == "3"
    assert [scopes_of(page) for page in pages] == [{"numbers:read"}, {"numbers:read", "numbers:write"}]
    assert all("client_id=https%3A%2F%2Fclient.example%2Fmcp.json" in page for page in pages), pages


def test_inspector_with_a_document(public: PublicProject, tmp_path: Path) -> None:
    inspector = Inspector(public.mcp_url, tmp_path, public.environment, "--client-metadata-url", DOCUMENT)
    page, text = inspector.call("whoami", public.person())
    assert text.split()
    assert "client_id=https%3A%2F%2Fclient.example%2Fmcp.json" in page


def test_claude_code_with_its_document(public: PublicProject, tmp_path: Path) -> None:
    with leading_here() as proxy:
        claude = ClaudeCode(tmp_path, {**public.environment, **proxy})
        claude.mcp("add", "--transport", "http", "notes", public.mcp_url)
        assert "Needs authentication" in claude.mcp("list")
        page = claude.sign_in("notes", public.person())
        assert parse_qs(urlsplit(page).query)["client_id"] == [CLAUDE_CODE]
        assert "Connected" in claude.mcp("list")
    listed = public.platform.run("users", "list", "public")["users"]
    assert CLAUDE_CODE in [each["client_id"] for each in listed]
