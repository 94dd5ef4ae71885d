"""Delivers one message, once, within a time."""

from __future__ import annotations

import asyncio
import smtplib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from ..outbound.addresses import PrivateAddressError, find_addresses
from ..outbound.requests import Outbound
from ..outbound.signature import signed
from .mail import send_mail
from .messages import Message, body_of, mail_of
from .store import MAX_FAILURE
from .target import read_mailbox, secrets_of

if TYPE_CHECKING:
    import httpx

# The seconds that a receiver has.
LIMIT_S = 10.0
# What may be taken later (RFC 9110, section 15): the receiver is busy, or broken.
LATER = (408, 425, 429)


class DeliveryError(Exception):
    """Says why a message was not taken, with nothing secret; another try is worth it if `is_temporary`."""

    def __init__(self, reason: str, *, is_temporary: bool) -> None:
        super().__init__(reason)
        self.is_temporary = is_temporary


class Channels:
    def __init__(self, outbound: Outbound | None = None) -> None:
        self._outbound = outbound or Outbound()
        # A mail server that hangs holds a thread for longer than LIMIT_S, and the platform needs its others.
        self._mailing = ThreadPoolExecutor(2, "mail")

    async def deliver(self, message: Message, url: str, key: str | None) -> None:
        """Delivers a message.

        Raises DeliveryError if it was not taken within LIMIT_S.
        """
        try:
            async with asyncio.timeout(LIMIT_S):
                await (self._mail(message, url) if message.alert.channel == "email" else self._post(message, url, key))
        except TimeoutError as error:
            raise DeliveryError(f"no answer within {LIMIT_S:g} s", is_temporary=True) from error
        except OSError as error:
            raise DeliveryError(_scrubbed(_reason(error), url, key), is_temporary=_is_temporary(error)) from None

    async def _post(self, message: Message, url: str, key: str | None) -> None:
        body = body_of(message)
        headers = {"content-type": "application/json", **(signed(key, body, int(message.time)) if key else {})}
        async with self._outbound.answered("POST", url, headers, body, private=message.alert.private) as response:
            status = response.status_code
            if status // 100 == 2:
                return
            said = await _beginning(response)
        reason = _scrubbed(f"HTTP {status}: {said}".rstrip(": "), url, key)
        raise DeliveryError(reason, is_temporary=status >= 500 or status in LATER)

    async def _mail(self, message: Message, url: str) -> None:
        mailbox = read_mailbox(url)
        addresses = await find_addresses(
            mailbox.host, mailbox.port, self._outbound.resolve, private=message.alert.private
        )
        mail = mail_of(message, mailbox)
        sending = partial(send_mail, mailbox, addresses, self._outbound.context, mail)
        await asyncio.get_running_loop().run_in_executor(self._mailing, sending)


async def _beginning(response: httpx.Response) -> str:
    read = bytearray()
    async for piece in response.aiter_raw():
        read += piece
        if len(read) >= MAX_FAILURE:
            break
    return bytes(read[:MAX_FAILURE]).decode("utf-8", "replace")


def _reason(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"SMTP {error.smtp_code}: {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    return error.strerror or str(error) or type(error).__name__


def _is_temporary(error: OSError) -> bool:
    """Tells whether another try may help: of a mail server's answers 4yz are transient (RFC 5321, section 4.2.1)."""
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    return not isinstance(error, PrivateAddressError)


def _scrubbed(text: str, url: str, key: str | None) -> str:
    """Returns what a receiver said without what is secret, should it have said that, and without control characters."""
    for secret in (*secrets_of(url), *((key,) if key else ())):
        text = text.replace(secret, "***")
    return "".join(each if each.isprintable() else " " for each in text)[:MAX_FAILURE]
