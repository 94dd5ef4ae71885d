"""Implements `homeport alerts add`, `list`, `test` and `remove`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, cast, get_args
from urllib.parse import urlsplit

import click

from ..alerts.target import channel_of, has_secret
from ..api.alert import AlertKind, Channel
from ..errors import InputError
from .options import json_option, platform_client, running, time_span
from .output import Output, table

if TYPE_CHECKING:
    from ..api.alert import ListedAlert, NewAlert


@click.group("alerts")
def alerts_command() -> None:
    """Tell people what is wrong: by webhook, in Slack or Discord, or by e-mail."""


@alerts_command.command("add")
@click.argument("url", required=False)
@click.option("--channel", type=click.Choice(get_args(Channel)), help="What understands it; default: by the URL.")
@click.option("--project", metavar="NAME", help="About one project; default: all, and the platform itself.")
@click.option(
    "--on", "kinds", multiple=True, type=click.Choice(get_args(AlertKind)), metavar="KIND",
    help=f"About this, one of {', '.join(get_args(AlertKind))}; default: all whose limit is known.",
)  # fmt: skip
@click.option("--error-rate", metavar="5%", help="How many of 20 or more calls in 5 minutes have to fail.")
@click.option("--p95", metavar="2000ms", help="When latency is too long: 5 % of the calls in 5 minutes take longer.")
@click.option("--silent", metavar="24h", help="When a project that was called is not called any more.")
@click.option("--private", is_flag=True, help="The host may be one of the platform's own network.")
@json_option
def add_alert(
    url: str | None,
    channel: str | None,
    project: str | None,
    kinds: tuple[str, ...],
    error_rate: str | None,
    p95: str | None,
    silent: str | None,
    private: bool,
    as_json: bool,
) -> None:
    """Send alerts to URL: that of a webhook, of an incoming webhook of Slack or Discord, or of a mail server.

    \b
    smtps://USER:PASSWORD@mail.example.com?from=homeport@example.com&to=me@example.com

    Without URL it is asked for and not shown; with - it is read from standard input. One that is a secret, as those of
    Slack, Discord and mail servers are, is not taken from the command line, where others can see it. A webhook's
    messages are signed with the key that is printed, once.
    """
    given = _url(url)
    asked = cast("Channel | None", channel)
    channel_of(given, asked, private=private)
    made = running(platform_client(), changes=True).add_alert(
        {
            "url": given,
            "channel": asked,
            "project": project,
            "kinds": cast("list[AlertKind]", list(kinds)) or None,
            "error_rate": _share(error_rate) if error_rate else None,
            "p95_ms": _milliseconds(p95) if p95 else None,
            "silent_s": time_span(silent, "--silent") if silent else None,
            "private": private,
        }
    )
    Output(as_json=as_json).result({"ok": True, **made}, _made_text(made))


@alerts_command.command("list")
@json_option
def list_alerts(as_json: bool) -> None:
    """List the alerts: where they go, what about, and why the last message did not arrive."""
    alerts = running(platform_client(), changes=False).alerts()
    columns = ("alert", "project", "channel", "to", "on", "sent", "failure")
    text = table(columns, list(map(_row, alerts))) if alerts else "no alerts yet; homeport alerts add URL"
    Output(as_json=as_json).result({"ok": True, "alerts": alerts}, text)


@alerts_command.command("test")
@click.argument("alert")
@json_option
def test_alert(alert: str, as_json: bool) -> None:
    """Send a message that says that it is a test; ALERT is its name in `homeport alerts list`."""
    tested = running(platform_client(), changes=False).test_alert(alert)
    Output(as_json=as_json).result({"ok": True, **tested}, f"{tested['target']} has taken a message")


@alerts_command.command("remove")
@click.argument("alert")
@json_option
def remove_alert(alert: str, as_json: bool) -> None:
    """Send no more alerts; ALERT is its name in `homeport alerts list`."""
    running(platform_client(), changes=True).remove_alert(alert)
    Output(as_json=as_json).result({"ok": True, "removed": alert}, f"{alert} tells nobody any more")


def _url(url: str | None) -> str:
    if url == "-":
        return sys.stdin.readline().strip()
    if url is None:
        if not sys.stdin.isatty():
            raise InputError("no URL", hint="`homeport alerts add -` reads it from standard input")
        asked: str = click.prompt("URL", hide_input=True, err=True)
        return asked.strip()
    if has_secret(url):
        host = urlsplit(url).hostname
        raise InputError(
            f"the URL of {host} is a secret, and others can see a command line",
            hint="`homeport alerts add` asks for it, `homeport alerts add -` reads it from standard input",
        )
    return url


def _share(text: str) -> float:
    number = text.removesuffix("%")
    if not number.replace(".", "", 1).isdecimal():
        raise InputError(f"--error-rate {text!r} is no percentage", hint="for example 5%")
    return float(number) / 100


def _milliseconds(text: str) -> float:
    number = text.removesuffix("ms")
    return float(number) if number.isdecimal() else time_span(text, "--p95") * 1000


def _made_text(made: NewAlert) -> str:
    lines = [f"{made['id']} tells {made['target']} of {made['project'] or 'all projects'}: {', '.join(made['kinds'])}"]
    if made["key"] is not None:
        lines.append(f"key: {made['key']}  (shown once; it signs each message)")
    return "\n".join([*lines, f"next:  homeport alerts test {made['id']}"])


def _row(alert: ListedAlert) -> tuple[str, ...]:
    sent = "-" if alert["sent_at"] is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(alert["sent_at"]))
    about = (alert["id"], alert["project"] or "all", alert["channel"], alert["target"])
    return (*about, " ".join(alert["kinds"]), sent, (alert["failure"] or "-")[:100])
