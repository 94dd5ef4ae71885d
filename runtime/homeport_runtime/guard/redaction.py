"""Decides what of a call's arguments is kept in the audit log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

from ..telemetry import encode

REDACTED = "[redacted]"
# The characters of a text that are kept; of a longer one its start, its length and its hash.
MAX_TEXT = 1024
# The characters of all arguments as JSON; of longer ones their length and hash.
MAX_ARGUMENTS = 16 * 1024 - 256
# The names of which is remembered whether they are redacted.
MAX_KNOWN = 1000
# Deeper values are replaced.
MAX_DEPTH = 16
# Parts of names under which people keep what nobody else may read.
NAMES = (
    "password", "passwd", "passphrase", "secret", "token", "authorization", "api_key", "apikey", "private_key",
    "access_key", "credential", "cookie", "session_id", "card", "cvv", "cvc", "iban", "ssn",
)  # fmt: skip
_REDACTED = encode(REDACTED)
# How values without others in them are encoded.
_TEXTS: dict[type, Callable[[Any], str]] = {int: str, str: encode, bool: encode, float: encode, type(None): encode}


class Redaction:
    """Keeps arguments as `mode` says: `redacted`, `full`, as a `hash`, or `none`; `names` are redacted beside NAMES.

    In each mode the bounds of this module hold.
    """

    def __init__(self, mode: str, names: Iterable[str] = ()) -> None:
        self._mode = mode
        self._hidden = tuple(map(_plain, (*NAMES, *names)))
        # By a name, how its member begins as JSON, and whether its value is hidden.
        self._known: dict[str, tuple[str, bool]] = {}
        # By the names of a call's arguments, what is kept of them, with a place for each value.
        self._forms: dict[tuple[str, ...], str] = {}

    def text(self, arguments: Any) -> str:
        """Returns what is kept of `arguments`, which were decoded from JSON, as JSON again."""
        if arguments is None or self._mode == "none":
            return "null"
        if self._mode == "hash":
            return encode({"sha256": _digest(json.dumps(arguments, sort_keys=True, separators=(",", ":")))})
        if type(arguments) is dict:
            form = self._forms.get(tuple(arguments))
            if form is not None and (kept := _filled(form, arguments)) is not None:
                return kept
            self._note_form(arguments)
        text = self._kept(arguments, 0)
        return text if len(text) <= MAX_ARGUMENTS else encode({"characters": len(text), "sha256": _digest(text)})

    def _kept(self, value: Any, depth: int) -> str:
        # Put together by hand, since most arguments are few, and an encoder takes longer for a few.
        kind = type(value)
        if kind is str:
            return encode(value if len(value) <= MAX_TEXT else _cut(value))
        if kind is int:
            return str(value)
        if kind is not dict and kind is not list:
            return encode(value)
        if depth == MAX_DEPTH:
            return _REDACTED
        depth += 1
        if kind is list:
            return f"[{','.join([self._kept(each, depth) for each in value])}]"
        members = []
        for name, each in value.items():
            beginning, is_hidden = self._known.get(name) or self._beginning(name)
            members.append(beginning + (_REDACTED if is_hidden else self._kept(each, depth)))
        return f"{{{','.join(members)}}}"

    def _note_form(self, arguments: dict[str, Any]) -> None:
        names = tuple(arguments)
        # A server's tools have few names of arguments; a caller's own must not make this grow.
        if len(self._forms) >= MAX_KNOWN or sum(map(len, names)) > MAX_TEXT:
            return
        parts = []
        for name in names:
            beginning, is_hidden = self._beginning(name)
            # A value that is hidden has a place, too, and nothing is written there.
            parts.append(f"{beginning.replace('%', '%%')}{f'%.0s{_REDACTED}' if is_hidden else '%s'}")
        self._forms[names] = f"{{{','.join(parts)}}}"

    def _beginning(self, name: str) -> tuple[str, bool]:
        plain = _plain(name)
        is_hidden = self._mode != "full" and any(hidden in plain for hidden in self._hidden)
        found = f"{encode(name[:MAX_TEXT])}:", is_hidden
        # A server's tools have few names of arguments; a caller's own must not make this grow.
        if len(self._known) < MAX_KNOWN and len(name) <= MAX_TEXT:
            self._known[name] = found
        return found


def _filled(form: str, arguments: dict[str, Any]) -> str | None:
    """Returns the arguments in the form for their names, None for those that it has no place for: values with others in
    them, and long ones.
    """
    try:
        text = form % tuple([_TEXTS[type(each)](each) for each in arguments.values()])
    except KeyError:
        return None
    return text if len(text) <= MAX_TEXT else None


def _plain(name: str) -> str:
    """Returns a name as it is compared: `apiKey`, `API-Key` and `api_key` are the same."""
    return "".join(filter(str.isalnum, name.lower()))


def _cut(text: str) -> str:
    return f"{text[:MAX_TEXT]}... [{len(text)} characters, sha256 {_digest(text)}]"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
