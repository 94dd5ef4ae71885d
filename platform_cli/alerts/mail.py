"""Sends e-mail by SMTP, encrypted always, to the very address of the server that was looked up and checked."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage

from .target import Mailbox

# The seconds for each answer of the server.
STEP_S = 10.0


def send_mail(mailbox: Mailbox, addresses: list[str], context: ssl.SSLContext, mail: EmailMessage) -> None:
    """Sends a mail through the server at the first of `addresses` that answers.

    Raises OSError, of which smtplib's errors are, if it does not take the mail for every receiver.
    """
    with _connected(mailbox, addresses, context) as server:
        if mailbox.user is not None and mailbox.password is not None:
            server.login(mailbox.user, mailbox.password)
        refused = server.send_message(mail, mailbox.sender, mailbox.receivers)
        if refused:
            raise smtplib.SMTPRecipientsRefused(refused)


class _Server(smtplib.SMTP):
    """Is a connection to one of `addresses`, where smtplib would look up the host again."""

    def __init__(self, mailbox: Mailbox, addresses: list[str], context: ssl.SSLContext) -> None:
        self._mailbox = mailbox
        self._addresses = addresses
        self._context = context
        super().__init__(mailbox.host, mailbox.port, timeout=STEP_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = _connect(self._addresses, port, timeout)
        return self._context.wrap_socket(plain, server_hostname=host) if self._mailbox.is_tls else plain


def _connected(mailbox: Mailbox, addresses: list[str], context: ssl.SSLContext) -> smtplib.SMTP:
    server = _Server(mailbox, addresses, context)
    if not mailbox.is_tls:
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _connect(addresses: list[str], port: int, timeout: float) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), timeout)
