"""Writes what an alert says, in the form of each channel; strangers' text in it mentions nobody and is no markup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from .model import MAX_TEXT, Alert, Event, one_line
from .target import Mailbox


@dataclass(frozen=True, slots=True)
class Message:
    """Is an event that came `count` times since `since`, as it is told of the platform `platform` at `time`.

    `is_test` says that it was asked for to see whether it arrives.
    """

    alert: Alert
    event: Event
    count: int
    since: float
    time: float
    platform: str
    is_test: bool = False

    @property
    def title(self) -> str:
        about = f"{self.event.project}: " if self.event.project else ""
        return one_line(f"{about}{self.event.title}")

    @property
    def text(self) -> str:
        """Returns the lines below the title."""
        lines = [one_line(line, MAX_TEXT) for line in self.event.text.splitlines()]
        if self.count > 1:
            lines.append(f"{self.count} times in the last {max(round((self.time - self.since) / 60), 1)} min")
        if self.event.release:
            lines.append(f"release: {self.event.release}")
        return "\n".join([*lines, f"platform: {self.platform}"])[:MAX_TEXT]


def body_of(message: Message) -> bytes:
    """Returns the body of a request to the alert's channel, in JSON."""
    shapes = {"webhook": _webhook, "slack": _slack, "discord": _discord}
    return json.dumps(shapes[message.alert.channel](message), ensure_ascii=False).encode("utf-8", "replace")


def mail_of(message: Message, mailbox: Mailbox) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = f"[homeport] {message.title}".encode("utf-8", "replace").decode()
    mail["From"], mail["To"] = mailbox.sender, ", ".join(mailbox.receivers)
    mail["Date"], mail["Message-ID"] = formatdate(message.time), make_msgid(domain=mailbox.sender.rpartition("@")[2])
    # RFC 3834: nobody's holiday answers it.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.title}\n\n{message.text}\n".encode("utf-8", "replace").decode())
    return mail


def _webhook(message: Message) -> dict[str, object]:
    event = message.event
    return {
        "alert": message.alert.id,
        "kind": event.kind,
        "project": event.project,
        "release": event.release,
        "group": event.group or None,
        "title": message.title,
        "text": message.text,
        "count": message.count,
        "since": round(message.since, 3),
        "time": round(message.time, 3),
        "platform": message.platform,
        "test": message.is_test,
    }


def _slack(message: Message) -> dict[str, object]:
    """Returns what incoming webhooks of Slack take, and those of Mattermost and Rocket.Chat.

    With these three signs escaped nothing is a mention or a link (https://api.slack.com/reference/surfaces/formatting).
    """
    text = f"{message.title}\n{message.text}".replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": text, "mrkdwn": False}


def _discord(message: Message) -> dict[str, object]:
    """Returns what Discord's webhooks take, up to 2,000 characters, with nobody mentioned
    (https://discord.com/developers/docs/resources/webhook#execute-webhook).
    """
    return {"content": f"{message.title}\n{message.text}"[:2000], "allowed_mentions": {"parse": []}}
