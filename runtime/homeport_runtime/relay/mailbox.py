"""Holds messages for sessions in other instances in a table, until those take them.

All items of a session have what is derived of its name as `pk` (sealing.py); `sk` says what they are:

    s               the session: known until `expires`; `written` is the number of the last message
    m000000000001   a message; without a `body` it is a tombstone, for a number whose message never came
    pID.01          a piece of a message that is too large for one item

A message is sealed, with its query and its headers. `expires` is in seconds since 1970. It is the table's TTL attribute
as well, so that DynamoDB removes what nobody took.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ..aws.dynamodb import Item, Table, Value
from ..aws.errors import AWSError
from .base import Posted
from .sealing import Seal

# The seconds of a session's lease: so long a message to an instance that died is taken for delivered.
LEASE_S = 6
# The seconds for which a message is kept: no function serves a stream for longer.
KEPT_S = 900
# The most bytes of a piece; an item may have 400 KB
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
MAX_PIECE = 350_000
# The number of attempts to write a message, each under a new number.
TRIES = 3
REFUSED = "ConditionalCheckFailedException"


class SessionLost(Exception):
    """Says that the session's lease has ended, so that nobody can post to it."""


class MessageLost(Exception):
    """Says that a message came too late for each number that it got."""


@dataclass(frozen=True)
class Taken:
    """Is a message with its number; `posted` is None for a tombstone, and `items` are the `sk` of its items."""

    number: int
    posted: Posted | None
    items: Sequence[str]


class Mailbox:
    """Is the mailbox of a project. Its methods block, several threads may call them at once, and each may raise
    AWSError.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def open(self, session: str) -> None:
        self._table.put({**_key(session, "s"), "written": 0, "expires": _in(LEASE_S)})

    def renew(self, session: str) -> None:
        """Renews the session's lease.

        Raises SessionLost if the item is gone, and with it the numbers of its messages.
        """
        values: Item = {":expires": _in(LEASE_S)}
        try:
            self._table.update(_key(session, "s"), "SET expires = :expires", values, "attribute_exists(pk)")
        except AWSError as error:
            raise SessionLost if error.code == REFUSED else error from None

    def close(self, session: str) -> None:
        """Removes the session and all its messages."""
        self._table.delete([_key(session, "s")])
        left = self._table.query("pk = :pk", {":pk": Seal(session).place})
        self._table.delete([_key(session, str(item["sk"])) for item in left])

    def post(self, session: str, posted: Posted) -> bool:
        """Returns whether the session is known, in which case the message has been written.

        Raises MessageLost if each number that it got was given up before it was written.
        """
        sender = uuid.uuid4().hex
        item = self._write(session, sender, posted)
        for _ in range(TRIES):
            number = self._next_number(session)
            if number is None:
                return False
            # Writing the same message again is no conflict, since the answer to the first write may have been lost.
            free = "attribute_not_exists(sk) OR sender = :sender"
            if self._table.put({**item, **_key(session, _message(number))}, free, {":sender": sender}):
                return True
        raise MessageLost

    def _write(self, session: str, sender: str, posted: Posted) -> dict[str, Value]:
        """Returns the message's item without its key, after writing the pieces of a message that does not fit into it.

        No item refers to these before the message itself is written.
        """
        sealed = Seal(session).close(_packed(posted))
        pieces = [sealed[start : start + MAX_PIECE] for start in range(0, len(sealed), MAX_PIECE)]
        if len(pieces) > 1:
            for place, piece in enumerate(pieces):
                self._table.put({**_key(session, _piece(sender, place)), "body": piece, "expires": _in(KEPT_S)})
        return {
            "sender": sender,
            "pieces": len(pieces) if len(pieces) > 1 else 0,
            "body": pieces[0] if len(pieces) == 1 else b"",
            "expires": _in(KEPT_S),
        }

    def _next_number(self, session: str) -> int | None:
        values: Item = {":one": 1, ":now": int(time.time())}
        try:
            after = self._table.update(_key(session, "s"), "ADD written :one", values, "expires > :now")
        except AWSError as error:
            if error.code == REFUSED:
                return None
            raise
        return int(after["written"])

    def read(self, session: str, first: int) -> tuple[list[Taken], bool]:
        """Returns the messages from number `first` on up to the first missing one, and whether one is missing.

        Raises NotOpened for what nobody has posted who knows the session.
        """
        found: list[Taken] = []
        seal = Seal(session)
        values: Item = {":pk": seal.place, ":first": _message(first), ":last": "m~"}
        for item in self._table.query("pk = :pk AND sk BETWEEN :first AND :last", values):
            number = first + len(found)
            if item["sk"] != _message(number):
                return found, True
            found.append(self._read(seal, number, item))
        return found, False

    def _read(self, seal: Seal, number: int, item: Item) -> Taken:
        name = str(item["sk"])
        if "body" not in item:
            return Taken(number, None, ())
        sealed, names = _bytes(item["body"]), [name]
        if item["pieces"]:
            sender, count = str(item["sender"]), int(item["pieces"])
            values: Item = {":pk": seal.place, ":first": _piece(sender, 0), ":last": _piece(sender, count)}
            pieces = list(self._table.query("pk = :pk AND sk BETWEEN :first AND :last", values))
            sealed = b"".join(_bytes(piece["body"]) for piece in pieces)
            names += [str(piece["sk"]) for piece in pieces]
        return Taken(number, _unpacked(seal.open(sealed)), names)

    def give_up(self, session: str, number: int) -> None:
        """Writes a tombstone in place of a missing message, which cannot be written any more, unless it has come
        meanwhile.
        """
        self._table.put({**_key(session, _message(number)), "expires": _in(KEPT_S)}, "attribute_not_exists(sk)")

    def remove(self, session: str, taken: Sequence[Taken]) -> None:
        """Removes messages that were taken."""
        self._table.delete([_key(session, name) for one in taken for name in one.items])


def _packed(posted: Posted) -> bytes:
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in posted.headers]
    return json.dumps([posted.query.decode("latin-1"), headers]).encode() + b"\n" + posted.body


def _unpacked(packed: bytes) -> Posted:
    head, _, body = packed.partition(b"\n")
    query, pairs = json.loads(head)
    return Posted(
        query.encode("latin-1"), [(key.encode("latin-1"), value.encode("latin-1")) for key, value in pairs], body
    )


def _in(seconds: int) -> int:
    return int(time.time()) + seconds


def _bytes(value: Value) -> bytes:
    return cast("bytes", value)


def _key(session: str, name: str) -> Item:
    return {"pk": Seal(session).place, "sk": name}


def _message(number: int) -> str:
    return f"m{number:012}"


def _piece(sender: str, place: int) -> str:
    return f"p{sender}.{place:02}"
