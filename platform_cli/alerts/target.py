"""Reads the URL to which an alert goes: a webhook, a chat's webhook, or an SMTP server with sender and receivers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from ..api.alert import Channel
from ..errors import InputError

MAX_URL = 2000
MAX_RECEIVERS = 20
SLACK, DISCORD = ("hooks.slack.com", "hooks.slack-gov.com"), ("discord.com", "discordapp.com")
SMTP_PORTS = {"smtp": 587, "smtps": 465}
MAIL_HINT = "smtps://USER:PASSWORD@mail.example.com?from=homeport@example.com&to=me@example.com"
_ADDRESS = re.compile(r"[^\s@<>,;\"]{1,64}@[A-Za-z0-9.-]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Is a way to send e-mail: with `is_tls` TLS from the first byte, else by STARTTLS."""

    host: str
    port: int
    is_tls: bool
    user: str | None
    password: str | None = field(repr=False)
    sender: str
    receivers: tuple[str, ...]


def channel_of(url: str, asked: Channel | None, *, private: bool) -> Channel:
    """Returns the channel of a URL, the one that was `asked` for if it can be.

    Raises InputError for a URL that leads nowhere, or that others could read on the way.
    """
    parts = _parts(url)
    if parts.scheme in SMTP_PORTS:
        if asked not in (None, "email"):
            raise InputError(f"{asked} goes to an https URL, not to {parts.scheme}")
        read_mailbox(url)
        return "email"
    if asked == "email":
        raise InputError("e-mail goes to an smtp or smtps URL", hint=MAIL_HINT)
    if parts.scheme == "http" and not private:
        raise InputError(
            "others could read what goes to an http URL", hint="an https URL, or --private within your network"
        )
    if parts.username is not None or parts.password is not None:
        raise InputError("a webhook's URL has no user and password", hint="messages are signed: check the signature")
    return asked or _by_host(parts)


def is_signed(channel: Channel) -> bool:
    """Tells whether a channel's messages are signed: chats do not look."""
    return channel == "webhook"


def shown(url: str) -> str:
    """Returns what a URL leads to, without what may be secret: path, query and password."""
    parts = urlsplit(url)
    if parts.scheme in SMTP_PORTS:
        return f"{', '.join(read_mailbox(url).receivers)} by {parts.hostname}"
    return f"{parts.scheme}://{parts.netloc}" + ("/…" if parts.path.strip("/") or parts.query else "")


def has_secret(url: str) -> bool:
    """Tells whether a URL lets whoever knows it do something: it has a password, or is one of a chat's."""
    parts = urlsplit(url)
    return bool(parts.password) or parts.hostname in SLACK or parts.hostname in DISCORD


def secrets_of(url: str) -> tuple[str, ...]:
    """Returns the parts of a URL that must appear nowhere, longest first."""
    parts = urlsplit(url)
    raw = (url, parts.path, parts.query, *parts.path.split("/"), parts.password or "", unquote(parts.password or ""))
    return tuple(sorted({part for part in raw if len(part) > 5}, key=len, reverse=True))


def read_mailbox(url: str) -> Mailbox:
    """Returns the mailbox of an smtp or smtps URL.

    Raises InputError if it does not say who gets the message.
    """
    parts = _parts(url)
    said = parse_qs(parts.query)
    receivers = tuple(each.strip() for given in said.get("to", ()) for each in given.split(",") if each.strip())
    user = unquote(parts.username) if parts.username else None
    sender = said.get("from", [user if user and "@" in user else f"homeport@{parts.hostname}"])[0]
    if not receivers or len(receivers) > MAX_RECEIVERS or not all(map(_ADDRESS.fullmatch, (*receivers, sender))):
        raise InputError(f"the URL has to say from whom and to whom, up to {MAX_RECEIVERS}", hint=MAIL_HINT)
    password = unquote(parts.password) if parts.password else None
    port = parts.port or SMTP_PORTS[parts.scheme]
    return Mailbox(parts.hostname or "", port, parts.scheme == "smtps", user, password, sender, receivers)


def _by_host(parts: SplitResult) -> Channel:
    if parts.hostname in SLACK:
        return "slack"
    return "discord" if parts.hostname in DISCORD and parts.path.startswith("/api/webhooks/") else "webhook"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https", *SMTP_PORTS) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or len(url) > MAX_URL or not url.isascii() or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        # The URL itself may be a secret.
        raise InputError("that is no URL for alerts", hint=f"https://... for a webhook, or {MAIL_HINT}")
    return parts
