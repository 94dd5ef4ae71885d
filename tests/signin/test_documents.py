"""Tests how metadata documents are fetched: from public addresses alone, and nothing large, slow or redirected."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sqlite3
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509

from platform_cli.outbound import addresses as outbound
from platform_cli.signin import documents
from platform_cli.signin.documents import Documents, is_document_url
from platform_cli.signin.model import OAuthError
from platform_cli.signin.registered_clients import RegisteredClients
from platform_cli.signin.registration import MAX_METADATA
from tests.certificates import self_signed

HOST = "client.example"
Answer = Callable[[str], bytes]


@pytest.mark.parametrize(
    "url",
    [
        "http://client.example/c.json",
        "https://client.example",
        "https://client.example/",
        "https://user:pw@client.example/c.json",
        "https://client.example/c.json#x",
        "https://client.example/a/../c.json",
        "https://client.example:0/c.json",
        "https://client.example:99999/c.json",
        "https://client.example/c json",
        "https://client.example\\@localhost/c",
        "https:///c.json",
        "https://client.example/" + "x" * 600,
    ],
)
def test_urls_that_are_no_client_ids(url: str) -> None:
    assert not is_document_url(url)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "pem"
    path.write_bytes(b"".join(self_signed([x509.DNSName(HOST)])))
    return path


@asynccontextmanager
async def site(certificate: Path, answer: bytes | Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serves `answer`, or what it returns for the URL, and yields that with the requests that come."""
    requests: list[bytes] = []
    url = ""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        said = answer if isinstance(answer, bytes) else answer(url)
        writer.write(said)
        if b"never" in said:
            await reader.read()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    url = f"https://{HOST}:{server.sockets[0].getsockname()[1]}/c.json"
    yield url, requests
    server.close()


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def finder(certificate: Path, *addresses: str) -> tuple[Documents, RegisteredClients]:
    async def resolve(host: str, _port: int) -> list[str]:
        assert host == HOST
        return list(addresses)

    clients = RegisteredClients(sqlite3.connect(":memory:", isolation_level=None))
    return Documents(clients, resolve, ssl.create_default_context(cafile=certificate)), clients


@pytest.fixture
def local_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "is_public_address", lambda address: ipaddress.ip_address(address).is_loopback)


def run(work: Awaitable[None]) -> None:
    async def all_of_it() -> None:
        await work

    asyncio.run(all_of_it())


@pytest.mark.usefixtures("local_is_public")
def test_document_is_fetched_once_and_kept_for_a_while(certificate: Path) -> None:
    def answer(url: str) -> bytes:
        said = {"client_id": url, "client_name": "Claude", "redirect_uris": ["http://localhost/callback"]}
        return http(json.dumps(said).encode(), "200 OK", "Cache-Control: public, max-age=1")

    async def work() -> None:
        async with site(certificate, answer) as (url, requests):
            found, clients = finder(certificate, "127.0.0.1")
            client = await found.find(url)
            assert (client.id, client.name, client.redirect_uris) == (url, "Claude", ("http://localhost/callback",))
            assert await found.find(url) == client
            assert clients.knows(url)
            assert len(requests) == 1
            assert b"host: client.example:" in requests[0].lower()

    run(work())


@pytest.mark.usefixtures("local_is_public")
@pytest.mark.parametrize(
    "answer",
    [
        http(
            b'{"client_id": "https://other.example/c.json", "client_name": "x", "redirect_uris": ["https://x.example/"]}'
        ),
        http(b"{}"),
        http(b"no json"),
        http(b"", "302 Found", "Location: http://169.254.169.254/latest/meta-data/"),
        http(b"{}", "404 Not Found"),
        http(b"x" * (MAX_METADATA + 1)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-This: never ends\r\n\r\n{",
        b"no http",
    ],
)
def test_what_is_no_document(certificate: Path, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "FETCH_S", 1.0)

    async def work() -> None:
        async with site(certificate, answer) as (url, requests):
            found, clients = finder(certificate, "127.0.0.1")
            with pytest.raises(OAuthError) as caught:
                await found.find(url)
            assert caught.value.code == "invalid_client"
            assert not clients.knows(url)
            assert len(requests) == 1

    run(work())


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("1.1.1.1", "10.0.0.1"), ("::ffff:127.0.0.1",), ()])
def test_nothing_is_sent_to_private_addresses(certificate: Path, addresses: tuple[str, ...]) -> None:
    async def work() -> None:
        async with site(certificate, http(b"{}")) as (url, requests):
            found, _ = finder(certificate, *addresses)
            with pytest.raises(OAuthError, match="no public address"):
                await found.find(url)
            assert requests == []

    run(work())
