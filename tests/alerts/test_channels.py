"""Tests how messages are delivered: what receivers get, whom they may be, and what is kept of a failure."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from tenacity import wait_none

from platform_cli.alerts import channels
from platform_cli.alerts.channels import Channels, DeliveryError
from platform_cli.alerts.courier import TRIES, Courier
from platform_cli.alerts.messages import Message
from platform_cli.alerts.model import KINDS, Alert, Event, Limits
from platform_cli.api.alert import Channel
from platform_cli.outbound.requests import Outbound
from tests.certificates import self_signed

from .receiver import receiver
from .test_store import ERROR, Clock, store

__all__ = ["clock", "store"]

HOSTILE = Event("error", "shop", "<!channel> @everyone \x1b[2J\u202e\r\nBcc: x@y.z", "a\n<b>\ud800&", "e1", "v3")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def message(channel: Channel = "webhook", *, private: bool = True, event: Event = HOSTILE, count: int = 3) -> Message:
    alert = Alert("0a1b2c3d", channel, "shown", None, KINDS, private, Limits())
    return Message(alert, event, count, 1000.0, 1600.0, "mcp.example.com")


def run(work: Awaitable[Any]) -> None:
    async def all_of_it() -> None:
        await work

    asyncio.run(all_of_it())


@pytest.mark.parametrize("channel", ["webhook", "slack", "discord"])
def test_strangers_text_mentions_nobody_and_is_no_markup(channel: Channel) -> None:
    with receiver() as there:
        run(Channels().deliver(message(channel), there.url, "key" if channel == "webhook" else None))
        (came,) = there.came
    said = came.said
    assert ("Homeport-Signature" in came.headers) == (channel == "webhook")
    text = said["text"] if channel != "discord" else said["content"]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "3 times in the last 10 min" in text
    if channel == "webhook":
        assert (said["kind"], said["project"], said["release"], said["group"], said["count"]) == (
            "error", "shop", "v3", "e1", 3,
        )  # fmt: skip
    if channel == "slack":
        assert "<" not in text
    if channel == "discord":
        assert said["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["1.1.1.1", "169.254.169.254"], ["::1"], []])
def test_ones_own_network_is_refused_when_it_is_connected_to(addresses: list[str]) -> None:
    asked = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return addresses

    with receiver() as there:
        for url in (there.url, "smtps://rebinds.example?to=a@b.c"):
            channel: Channel = "email" if url.startswith("smtp") else "webhook"
            with pytest.raises(DeliveryError, match="no public address") as caught:
                run(Channels(Outbound(resolve)).deliver(message(channel, private=False), url, None))
            assert not caught.value.is_temporary
        assert there.came == []
    assert asked == ["127.0.0.1", "rebinds.example"], "a name is looked up once, and what was looked at is connected to"


def test_redirections_are_not_followed() -> None:
    with receiver() as there:
        there.answers = [(302, "")]
        with pytest.raises(DeliveryError, match="HTTP 302"):
            run(Channels().deliver(message(), there.url, None))
        assert len(there.came) == 1


def test_a_receiver_that_hangs_has_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "LIMIT_S", 0.2)

    async def work() -> None:
        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            await writer.wait_closed()
            ended.set()

        ended = asyncio.Event()
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(DeliveryError, match="no answer") as caught:
            await Channels().deliver(message(), url, None)
        assert caught.value.is_temporary
        await ended.wait()
        server.close()

    run(work())


async def told(courier: Courier, courier_store: Any, alert: Alert, event: Event) -> None:
    working = asyncio.create_task(courier.work())
    courier.tell(alert, event)
    while (listed := courier_store.listed()[-1])["sent_at"] is None and listed["failed_at"] is None:
        await asyncio.sleep(0.01)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest.mark.parametrize(("answers", "came"), [([503, 500], TRIES), ([503] * 5, TRIES), ([404], 1)])
def test_three_tries_for_what_may_pass(store: Any, answers: list[int], came: int) -> None:
    alert = Alert("ffffffff", "webhook", "shown", None, KINDS, True, Limits())
    with receiver() as there:
        there.answers = [(status, f"no: {there.url}") for status in answers]
        store.add(alert, there.url, "thekey")
        courier = Courier(store, Channels(), lambda: "here", wait_none())
        run(told(courier, store, alert, ERROR))
        assert len(there.came) == came
    (_, listed) = store.listed()
    if len(answers) == 2:
        assert listed["failure"] is None
    else:
        assert listed["failure"] == f"HTTP {answers[0]}: no: ***"


class Kept:
    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd calls it
        self.mails.append(envelope)
        return "250 taken"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "pem"
    path.write_bytes(b"".join(self_signed([x509.DNSName("mail.example.com")])))
    return path


@asynccontextmanager
async def mail_server(scheme: str, certificate: Path | None, kept: Kept) -> AsyncIterator[str]:
    """Serves SMTP with TLS from the first byte, or by STARTTLS where there is a certificate; yields the URL of it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if certificate is not None:
        context.load_cert_chain(certificate)
    begins_plain = certificate is not None and scheme == "smtp"

    def known(_server: object, _session: object, _envelope: object, _mechanism: str, said: Any) -> AuthResult:
        return AuthResult(success=(said.login, said.password) == (b"me", b"p@ss"), handled=False)

    def protocol() -> SMTP:
        return SMTP(
            kept,
            hostname="there",
            tls_context=context if begins_plain else None,
            require_starttls=begins_plain,
            authenticator=known if certificate else None,
            auth_required=begins_plain,
            auth_require_tls=begins_plain,
        )

    is_tls = context if scheme == "smtps" else None
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=is_tls)
    yield f"{scheme}://me:p%40ss@mail.example.com:{server.sockets[0].getsockname()[1]}"
    server.close()


def mailing(certificate: Path) -> Channels:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    return Channels(Outbound(resolve, ssl.create_default_context(cafile=certificate)))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_mail(scheme: str, certificate: Path) -> None:
    kept = Kept()

    async def work() -> None:
        async with mail_server(scheme, certificate, kept) as url:
            to = f"{url}?from=a@example.com&to=b@example.com,c@example.com"
            await mailing(certificate).deliver(message("email"), to, None)
            with pytest.raises(DeliveryError, match="SMTP 535") as caught:
                await mailing(certificate).deliver(message("email"), to.replace("p%40ss", "wrongwrong"), None)
            assert "wrongwrong" not in str(caught.value)
            with pytest.raises(DeliveryError, match="ertificate"):
                await mailing(certificate).deliver(message("email"), to.replace("mail.", "other."), None)

    run(work())
    (mail,) = kept.mails
    assert (mail.mail_from, mail.rcpt_tos) == ("a@example.com", ["b@example.com", "c@example.com"])
    head = mail.content.decode().partition("\r\n\r\n")[0]
    assert "\r\nBcc:" not in head
    assert "Auto-Submitted: auto-generated" in head


def test_mail_is_never_sent_in_the_clear(certificate: Path) -> None:
    kept = Kept()

    async def work() -> None:
        async with mail_server("smtp", None, kept) as url:
            with pytest.raises(DeliveryError):
                await mailing(certificate).deliver(message("email"), f"{url}?to=b@example.com", None)

    run(work())
    assert kept.mails == []
