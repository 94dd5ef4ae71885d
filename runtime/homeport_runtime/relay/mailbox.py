"""A table that holds what was posted for sessions in other instances, until those take it.

All items of a session have its name as `pk`; `sk` says what they are:

    s               the session: known until `expires`; `written` is the number of the last message
    m000000000001   a message; without a `body` it is a stone, for a number whose message never came
    pID.01          a piece of a body that is too large for one item

`expires` is in seconds since the epoch. It is the table's TTL attribute as well: what nobody took is removed in time.
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

# Seconds that a session is known for after it was last renewed.
LEASE_S = 25
# Seconds that a message is kept for: no function serves a stream for longer.
KEPT_S = 900
# Bytes; an item may have 400 KB, headers included
# (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
MAX_PIECE = 350_000
# Numbers that a message is given before its sender gives up.
TRIES = 3
REFUSED = "ConditionalCheckFailedException"


class SessionLost(Exception):
    """The session is no longer known: nobody can post to it."""


class MessageLost(Exception):
    """The message came too late for each number that it was given."""


@dataclass(frozen=True)
class Taken:
    """A message in its place; `posted` is None for a stone. `items` are those that it is made of, by their `sk`."""

    number: int
    posted: Posted | None
    items: Sequence[str]


class Mailbox:
    """Blocking; several threads may use it at once. Each method may raise AWSError."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def open(self, session: str) -> None:
        self._table.put({"pk": session, "sk": "s", "written": 0, "expires": _in(LEASE_S)})

    def renew(self, session: str) -> None:
        """Raises SessionLost where the item is gone, and with it the numbers."""
        values: Item = {":expires": _in(LEASE_S)}
        try:
            self._table.update(_key(session, "s"), "SET expires = :expires", values, "attribute_exists(pk)")
        except AWSError as error:
            raise SessionLost if error.code == REFUSED else error from None

    def close(self, session: str) -> None:
        """From here on it is unknown, and nothing is kept of it."""
        self._table.delete([_key(session, "s")])
        left = self._table.query("pk = :pk", {":pk": session})
        self._table.delete([_key(session, str(item["sk"])) for item in left])

    def post(self, session: str, posted: Posted) -> bool:
        """Whether the session is known; then the message is there. Raises MessageLost."""
        sender = uuid.uuid4().hex
        item = self._write(session, sender, posted)
        for _ in range(TRIES):
            number = self._next_number(session)
            if number is None:
                return False
            # The same again is no conflict: its answer may have been lost.
            free = "attribute_not_exists(sk) OR sender = :sender"
            if self._table.put({**item, "sk": _message(number)}, free, {":sender": sender}):
                return True
        raise MessageLost

    def _write(self, session: str, sender: str, posted: Posted) -> dict[str, Value]:
        """The message's item, after what does not fit into it. Nothing refers to that before the message is there."""
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in posted.headers]
        pieces = [posted.body[start : start + MAX_PIECE] for start in range(0, len(posted.body), MAX_PIECE)]
        if len(pieces) > 1:
            for place, piece in enumerate(pieces):
                name = _piece(sender, place)
                self._table.put({"pk": session, "sk": name, "body": piece, "expires": _in(KEPT_S)})
        return {
            "pk": session,
            "sender": sender,
            "query": posted.query,
            "headers": json.dumps(headers),
            "pieces": len(pieces) if len(pieces) > 1 else 0,
            "body": posted.body if len(pieces) == 1 else b"",
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
        """The messages from number `first` on, as far as none is missing; and whether one is, with others behind it."""
        found: list[Taken] = []
        values: Item = {":pk": session, ":first": _message(first), ":last": "m~"}
        for item in self._table.query("pk = :pk AND sk BETWEEN :first AND :last", values):
            number = first + len(found)
            if item["sk"] != _message(number):
                return found, True
            found.append(self._read(session, number, item))
        return found, False

    def _read(self, session: str, number: int, item: Item) -> Taken:
        name = str(item["sk"])
        if "body" not in item:
            return Taken(number, None, ())
        body, names = _bytes(item["body"]), [name]
        if item["pieces"]:
            sender, count = str(item["sender"]), int(item["pieces"])
            values: Item = {":pk": session, ":first": _piece(sender, 0), ":last": _piece(sender, count)}
            pieces = list(self._table.query("pk = :pk AND sk BETWEEN :first AND :last", values))
            body = b"".join(_bytes(piece["body"]) for piece in pieces)
            names += [str(piece["sk"]) for piece in pieces]
        pairs = json.loads(str(item["headers"]))
        headers = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in pairs]
        return Taken(number, Posted(_bytes(item["query"]), headers, body), names)

    def give_up(self, session: str, number: int) -> None:
        """Puts a stone where a message is missing: it cannot come any more. One that has come meanwhile stays."""
        stone: Item = {"pk": session, "sk": _message(number), "expires": _in(KEPT_S)}
        self._table.put(stone, "attribute_not_exists(sk)")

    def remove(self, session: str, taken: Sequence[Taken]) -> None:
        """What was taken is not kept: it may have a user's own token in its headers."""
        self._table.delete([_key(session, name) for one in taken for name in one.items])


def _in(seconds: int) -> int:
    return int(time.time()) + seconds


def _bytes(value: Value) -> bytes:
    return cast("bytes", value)


def _key(session: str, name: str) -> Item:
    return {"pk": session, "sk": name}


def _message(number: int) -> str:
    return f"m{number:012}"


def _piece(sender: str, place: int) -> str:
    return f"p{sender}.{place:02}"
