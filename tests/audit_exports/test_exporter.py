"""Tests that audit logs reach their receivers, each line at least once and in order, whatever happens on the way."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import shutil
import sqlite3
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from platform_cli.audit.book import AuditBook, durable
from platform_cli.audit.chain import NOTHING, follow
from platform_cli.audit.entry import Entry
from platform_cli.audit.heads import Heads
from platform_cli.audit_exports import exporter as exporter_module
from platform_cli.audit_exports import reading
from platform_cli.audit_exports.destination import read_destination
from platform_cli.audit_exports.exporter import Exporter
from platform_cli.audit_exports.reading import Line
from platform_cli.audit_exports.store import Access, Export, ExportStore
from platform_cli.audit_exports.syslog import Syslog
from platform_cli.errors import InputError, NotFoundError
from platform_cli.home import Home
from platform_cli.outbound.signature import signed
from platform_cli.secrets.sqlite import SQLiteSecretStore
from tests.certificates import self_signed
from tests.otlp.collector import collector

CALL = Entry(
    time=1_769_437_395.0,
    client_id="claude-ai-prod",
    tool_name="add_expense",
    arguments='{"description":"Kaffee ☕"}',
    result="success",
    scopes_used=("expense:write",),
    user_id="alice@company.com",
    ip_address="192.168.1.100",
    method="tools/call",
    request="0011223344556677",
    ms=6.5,
)
# The seconds after which a test gives up.
LIMIT_S = 60.0
PROJECT = "expenses"


@dataclass
class Logs:
    """Holds the audit log of one project, its durable head, and its exports."""

    folder: Path
    heads: Heads
    exports: ExportStore
    book: AuditBook

    def write(self, count: int, *, result: str = "success", is_durable: bool = True) -> None:
        self.book.write([(CALL._replace(result=result), "v1")] * count)
        if is_durable:
            head, descriptor = self.book.unsynced()
            durable(descriptor)
            self.heads.put({PROJECT: head})

    def add(self, url: str, ca: str | None = None, *, private: bool = True, after: int = 0) -> None:
        to = read_destination(url, private=private)
        export = Export("one", to.kind, to.shown, None, private, 0.0)
        access = Access(to, "the-key", {"authorization": "Bearer t"} if to.kind == "otlp" else {}, ca)
        self.exports.add(export, url, access, {PROJECT: after} if after else {})

    @property
    def cursor(self) -> int:
        return self.exports.cursor("one", PROJECT)

    @property
    def failure(self) -> str | None:
        return self.exports.all()[0].failure

    @asynccontextmanager
    async def exporting(self) -> AsyncIterator[None]:
        task = asyncio.create_task(Exporter(self.exports, self.heads.all, lambda _project: self.folder).work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    monkeypatch.setattr(exporter_module, "LOOK_S", 0.01)
    monkeypatch.setattr(exporter_module, "FIRST_S", 0.02)
    db = sqlite3.connect(":memory:", isolation_level=None)
    (tmp_path / "home").mkdir()
    secrets = SQLiteSecretStore(Home(tmp_path / "home"))
    heads = Heads(db)
    book = AuditBook(tmp_path / "audit", PROJECT, heads.head(PROJECT))
    yield Logs(tmp_path / "audit", heads, ExportStore(db, secrets), book)
    book.close()
    secrets.close()
    db.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made, private = self_signed(names, is_authority=True)
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_bytes(made)
    (folder / "key.pem").write_bytes(private)
    return folder


@dataclass
class SyslogServer:
    """Is a receiver of syslog over TLS by the standard library, which keeps `messages`."""

    url: str = ""
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        try:
            while True:
                length = await reader.readuntil(b" ")
                self.messages.append(await reader.readexactly(int(length)))
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            self.writers.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()


@asynccontextmanager
async def syslog_server(certificate: Path, server: SyslogServer, port: int = 0) -> AsyncIterator[SyslogServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
    listening = await asyncio.start_server(server.take, "127.0.0.1", port, ssl=context)
    server.url = f"syslog+tls://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        server.hang_up()


def lines_of(messages: list[bytes]) -> list[bytes]:
    return [message[message.index(b"{") :] for message in messages]


@pytest.mark.anyio
async def test_syslog_gets_every_line_once(logs: Logs, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over two exporters, as before and after a restart of the platform: nothing is lost, and nothing comes twice."""
    monkeypatch.setattr(reading, "MAX_LINES", 4)
    ca = (certificate / "ca.pem").read_text()
    async with syslog_server(certificate, SyslogServer()) as server:
        logs.write(9)
        logs.add(server.url, ca)
        async with logs.exporting():
            await until(lambda: logs.cursor == 9)
        logs.write(1, result="denied")
        async with logs.exporting():
            await until(lambda: logs.cursor == 10 and len(server.messages) >= 10)
            logs.write(3)
            await until(lambda: logs.cursor == 13 and len(server.messages) >= 13)
    assert follow(lines_of(server.messages)).broken is None, "the chain is whole over there, too"
    assert len(server.messages) == 13
    pattern = rb"<(\d+)>1 2026-01-26T14:23:15.000Z \S+ homeport expenses audit - \{.*"
    found = [re.fullmatch(pattern, each) for each in server.messages]
    assert [int(each[1]) for each in found if each] == [110] * 9 + [108] + [110] * 3


@pytest.mark.anyio
async def test_a_receiver_that_is_away_gets_everything_later(logs: Logs, certificate: Path) -> None:
    ca = (certificate / "ca.pem").read_text()
    async with syslog_server(certificate, SyslogServer()) as server:
        port = int(server.url.rpartition(":")[2])
    logs.add(server.url, ca)
    logs.write(300)
    async with logs.exporting():
        await until(lambda: logs.failure is not None)
        async with syslog_server(certificate, server, port):
            await until(lambda: logs.cursor == 300 and len(server.messages) >= 300)
            server.hang_up()
            await until(lambda: not server.writers)
            logs.write(1)
            await until(lambda: len(server.messages) == 301)
            assert server.connections == 2, "one that has ended is not used again"
    assert follow(lines_of(server.messages)).broken is None


@pytest.mark.anyio
async def test_a_receiver_that_nobody_knows_gets_nothing(logs: Logs, certificate: Path) -> None:
    async with syslog_server(certificate, SyslogServer()) as server:
        logs.add(server.url)
        logs.write(1)
        async with logs.exporting():
            await until(lambda: logs.failure is not None)
    assert "certificate is not trusted" in (logs.failure or "")
    assert (server.messages, logs.cursor) == ([], 0)


@pytest.mark.anyio
async def test_a_name_with_an_address_that_leads_nowhere(logs: Logs, certificate: Path) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    ca = (certificate / "ca.pem").read_text()
    async with syslog_server(certificate, SyslogServer()) as server:
        syslog = Syslog(Access(read_destination(server.url, private=True), None, {}, ca), resolve, private=True)
        await syslog.send(PROJECT, [Line(1, b'{"seq":1}')])
        await until(lambda: len(server.messages) == 1)
        syslog.close()


@pytest.mark.anyio
async def test_what_a_crash_could_take_back_is_not_sent(logs: Logs, certificate: Path) -> None:
    async with syslog_server(certificate, SyslogServer()) as server:
        logs.add(server.url, (certificate / "ca.pem").read_text())
        logs.write(2)
        logs.write(5, is_durable=False)
        async with logs.exporting():
            await until(lambda: logs.cursor == 2 and len(server.messages) >= 2)
            logs.write(1)
            await until(lambda: logs.cursor == 8 and len(server.messages) >= 8)
    assert [json.loads(each)["seq"] for each in lines_of(server.messages)] == list(range(1, 9))


Answer = Callable[[dict[str, str], bytes], bytes]


@asynccontextmanager
async def web(answer: Answer) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head)}
        body = await reader.readexactly(int(headers["content-length"]))
        status = answer(headers, body)
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hook/very-secret-path"
    finally:
        listening.close()


@pytest.mark.anyio
async def test_a_webhook_is_signed_and_asked_again(logs: Logs) -> None:
    statuses = [b"500 No", b"503 No\r\nRetry-After: 0", b"302 Found\r\nLocation: http://127.0.0.1:1/"]
    failures: list[str | None] = []
    taken: list[tuple[dict[str, str], bytes]] = []

    def answer(headers: dict[str, str], body: bytes) -> bytes:
        failures.append(logs.failure)
        if statuses:
            return statuses.pop(0)
        taken.append((headers, body))
        return b"204 Taken"

    async with web(answer) as url:
        logs.write(3)
        logs.add(url, after=1)
        async with logs.exporting():
            await until(lambda: logs.cursor == 3)
    ((headers, body),) = taken
    assert failures == [None, "HTTP 500", "HTTP 503", "HTTP 302"]
    assert logs.failure is None
    expected = signed("the-key", body, int(headers["homeport-time"]))
    assert headers["homeport-signature"] == expected["Homeport-Signature"]
    assert headers["homeport-delivery"] == "expenses/2-3"
    assert [json.loads(line)["seq"] for line in body.splitlines()] == [2, 3]
    listed = json.dumps(logs.exports.listed(logs.heads.all()))
    assert "secret" not in listed
    assert "the-key" not in listed


@pytest.mark.anyio
async def test_a_collector_gets_log_records(logs: Logs) -> None:
    with collector() as running:
        running.answers = [
            (429, {"Retry-After": "0"}, b""),
            (200, {}, b'{"partialSuccess":{"rejectedLogRecords":"2"}}'),
        ]
        logs.write(2)
        logs.add(f"otlp+{running.url}/v1/logs")
        async with logs.exporting():
            await until(lambda: logs.cursor == 2)
        # What it rejected came once more.
        assert len(running.logs) == 4
        record = running.logs[-1]
        assert json.loads(record.body.string_value)["seq"] == 2
        assert record.time_unix_nano == int(CALL.time * 1e9)
        said = {each.key: each.value.string_value for each in record.attributes}
        assert (said["gen_ai.tool.name"], said["user.id"]) == ("add_expense", "alice@company.com")
        assert running.headers[-1]["authorization"] == "Bearer t"


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["https", "syslog+tls"])
async def test_a_private_receiver_has_to_be_asked_for(logs: Logs, scheme: str) -> None:
    async with web(lambda _headers, _body: pytest.fail("it was asked")) as url:
        host = url.removeprefix("http://").partition("/")[0]
        logs.add(f"{scheme}://{host}", private=False)
        logs.write(1)
        async with logs.exporting():
            await until(lambda: logs.failure is not None)
    assert logs.failure == "its host has no public address"


@pytest.mark.anyio
async def test_what_is_removed_is_sent_nothing(logs: Logs) -> None:
    bodies: list[bytes] = []

    def answer(_headers: dict[str, str], body: bytes) -> bytes:
        bodies.append(body)
        return b"200 OK"

    async with web(answer) as url:
        logs.add(url)
        logs.write(1)
        async with logs.exporting():
            await until(lambda: logs.cursor == 1)
            logs.exports.remove("one")
            logs.write(1)
            await asyncio.gather(*_others())
    assert len(bodies) == 1
    with pytest.raises(NotFoundError):
        logs.exports.remove("one")


def _others() -> list[Awaitable[None]]:
    """Returns what ends when the loop has looked for new exports some times."""
    return [asyncio.sleep(exporter_module.LOOK_S) for _ in range(20)]


def test_a_project_that_is_destroyed_leaves_nothing(logs: Logs) -> None:
    logs.add("https://siem.example.com/hook", private=False)
    logs.exports.taken("one", PROJECT, 7)
    logs.exports.forget(PROJECT)
    assert logs.cursor == 0, "another project may get its name"
    assert len(logs.exports.all()) == 1, "it is for all projects"


@pytest.mark.anyio
async def test_a_project_that_gets_the_name_of_another_lacks_nothing(logs: Logs) -> None:
    """Even where the other is destroyed while its lines are on their way."""
    bodies: list[list[int]] = []

    def answer(_headers: dict[str, str], body: bytes) -> bytes:
        if not bodies:
            logs.book.close()
            shutil.rmtree(logs.folder)
            logs.heads.forget(PROJECT)
            logs.exports.forget(PROJECT)
            logs.book = AuditBook(logs.folder, PROJECT, NOTHING)
            logs.write(3)
        bodies.append([json.loads(line)["seq"] for line in body.splitlines()])
        return b"200 OK"

    async with web(answer) as url:
        logs.add(url)
        logs.write(9)
        async with logs.exporting():
            await until(lambda: len(bodies) == 2 and logs.cursor == 3)
    logs.book.close()
    assert bodies == [list(range(1, 10)), [1, 2, 3]]


def test_lines_are_read_over_files(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform_cli.audit.book.MAX_FILE_BYTES", 2000)
    monkeypatch.setattr(reading, "MAX_LINES", 7)
    for _ in range(20):
        logs.write(1)
    seen: list[int] = []
    place = None
    while True:
        lines, place = reading.lines_after(logs.folder, seen[-1] if seen else 3, 18, place)
        if not lines:
            break
        seen += [line.seq for line in lines]
    assert seen == list(range(4, 19))


def test_a_secret_url_is_not_shown_with_its_destination() -> None:
    assert "secret" not in repr(read_destination("https://siem.example.com/hook/secret", private=False))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gopher://a",
        "http://siem.example.com",
        "https://",
        "https://u:p@a.example",
        "syslog+tls://a/path",
        "https://a b",
    ],
)
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(InputError):
        read_destination(url, private=False)
