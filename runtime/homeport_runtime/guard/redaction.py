"""Decides what of a call's arguments is kept in the audit log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

REDACTED = "[redacted]"
# The characters of a text that are kept; of a longer one its start, its length and its hash.
MAX_TEXT = 1024
# The characters of all arguments as JSON; of longer ones their length and hash.
MAX_ARGUMENTS = 16 * 1024 - 256
# Deeper values are replaced.
MAX_DEPTH = 16
# Parts of names under which people keep what nobody else may read.
NAMES = (
    "password", "passwd", "passphrase", "secret", "token", "authorization", "api_key", "apikey", "private_key",
    "access_key", "credential", "cookie", "session_id", "card", "cvv", "cvc", "iban", "ssn",
)  # fmt: skip


class Redaction:
    """Keeps arguments as `mode` says: `redacted`, `full`, as a `hash`, or `none`; `names` are redacted beside NAMES.

    In each mode the bounds of this module hold.
    """

    def __init__(self, mode: str, names: Iterable[str] = ()) -> None:
        self._mode = mode
        self._hidden = tuple(map(_plain, (*NAMES, *names)))

    def of(self, arguments: Any) -> Any:
        """Returns what is kept of `arguments`, which were decoded from JSON."""
        if arguments is None or self._mode == "none":
            return None
        if self._mode == "hash":
            return {"sha256": _digest(json.dumps(arguments, sort_keys=True, separators=(",", ":")))}
        kept = self._kept(arguments, 0)
        text = json.dumps(kept, ensure_ascii=False)
        return kept if len(text) <= MAX_ARGUMENTS else {"characters": len(text), "sha256": _digest(text)}

    def _kept(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return value if len(value) <= MAX_TEXT else _cut(value)
        if not isinstance(value, dict | list):
            return value
        if depth == MAX_DEPTH:
            return REDACTED
        if isinstance(value, list):
            return [self._kept(each, depth + 1) for each in value]
        return {
            name[:MAX_TEXT]: REDACTED if self._is_hidden(name) else self._kept(each, depth + 1)
            for name, each in value.items()
        }

    def _is_hidden(self, name: str) -> bool:
        plain = _plain(name)
        return self._mode != "full" and any(hidden in plain for hidden in self._hidden)


def _plain(name: str) -> str:
    """Returns a name as it is compared: `apiKey`, `API-Key` and `api_key` are the same."""
    return "".join(filter(str.isalnum, name.lower()))


def _cut(text: str) -> str:
    return f"{text[:MAX_TEXT]}... [{len(text)} characters, sha256 {_digest(text)}]"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
