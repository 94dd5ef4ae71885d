"""Tests where alerts may go, and what of that is shown."""

from __future__ import annotations

import pytest

from platform_cli.alerts.target import channel_of, has_secret, read_mailbox, secrets_of, shown
from platform_cli.errors import InputError

SLACK = "https://hooks.slack.com/services/T000/B000/secretsecret"
DISCORD = "https://discord.com/api/webhooks/123/secretsecret"
MAIL = "smtps://me%40example.com:p%40ssword@mail.example.com?from=a@example.com&to=b@example.com,c@example.com"


@pytest.mark.parametrize(
    ("url", "channel", "seen"),
    [
        (SLACK, "slack", "https://hooks.slack.com/…"),
        (DISCORD, "discord", "https://discord.com/…"),
        ("https://example.com:8443/hook?token=x", "webhook", "https://example.com:8443/…"),
        ("https://example.com", "webhook", "https://example.com"),
        (MAIL, "email", "b@example.com, c@example.com by mail.example.com"),
    ],
)
def test_channels(url: str, channel: str, seen: str) -> None:
    assert channel_of(url, None, private=False) == channel
    assert shown(url) == seen


def test_a_chat_of_ones_own_has_slacks_form_if_asked() -> None:
    assert channel_of("https://chat.example.com/hooks/x", "slack", private=False) == "slack"


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com", "https://", "https://example.com:0", "https://exa mple.com/"),
        *("https://example.com/\n", "https://ex\u00e4mple.com", "https://example.com\\@evil", "http://example.com/"),
        *("https://me:pw@example.com/", "https://example.com/" + "x" * 2000),
        *(
            "smtps://mail.example.com",
            "smtps://mail.example.com?to=nobody",
            "smtp://mail.example.com?to=a@b.c%0aBcc:d@e.f",
        ),
        "smtps://mail.example.com?from=x&to=a@b.c",
    ],
)
def test_what_is_no_target(url: str) -> None:
    with pytest.raises(InputError):
        channel_of(url, None, private=False)


def test_asked_channels_that_cannot_be() -> None:
    for url, asked in ((MAIL, "slack"), (SLACK, "email")):
        with pytest.raises(InputError):
            channel_of(url, asked, private=False)  # type: ignore[arg-type]


def test_plain_http_stays_in_ones_own_network() -> None:
    assert channel_of("http://192.168.1.5/hook", None, private=True) == "webhook"


def test_mailbox() -> None:
    box = read_mailbox(MAIL)
    assert (box.port, box.is_tls, box.user, box.password, box.sender) == (
        465, True, "me@example.com", "p@ssword", "a@example.com",
    )  # fmt: skip
    assert "p@ssword" not in repr(box)
    plain = read_mailbox("smtp://mail.example.com?to=b@example.com")
    assert (plain.port, plain.is_tls, plain.user, plain.sender) == (587, False, None, "homeport@mail.example.com")


def test_what_is_secret() -> None:
    assert all(map(has_secret, (SLACK, DISCORD, MAIL)))
    assert not has_secret("https://example.com/hook")
    assert {"secretsecret", SLACK} <= set(secrets_of(SLACK))
    assert {"p%40ssword", "p@ssword"} <= set(secrets_of(MAIL))
