"""Removes secret values from text, in every form in which programs commonly print them.

It finds a value as it is, percent-encoded, escaped as JSON, repr() and HTML do it (JSON and repr() to any depth), in
hexadecimal digits, in base64 at each of the three alignments in both alphabets, and the lines of a value that has
several. Each is replaced by `[secret NAME]`. Values shorter than MIN_CHARACTERS stay: without every `42` or `on` a log
could not be read.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote

MIN_CHARACTERS = 4
# The characters from which a line of a value with several lines is searched for by itself.
MIN_LINE = 8
# The characters of a line of MIME base64 (RFC 2045, section 6.8), as base64(1) and openssl write it.
MIME_LINE = 76
# A longer value is searched for in its usual forms only: a pattern for all of them takes seconds to compile.
MAX_TOLERANT = 4096
# The backslashes of nested escapes, which may be percent-encoded in turn, and the most bytes that they make of a
# character beyond U+FFFF: two times 8 of them followed by `u00e9`.
ESCAPES = rb"(?:\\|%5[Cc]){1,8}"
MAX_ESCAPED = 2 * (8 * 3 + 5)

# If there are more than MANY pieces (of a long value, or of one with many lines), an index over the first INDEXED bytes
# of their anchors finds those in a line faster than a search for each.
INDEXED = 8
MANY = 64

# The first byte of a record (homeport_runtime.telemetry.RECORD), and the fields that hold no text of the server's.
RECORD = b"\x1e"
OWN_FIELDS = ("time", "level", "request")
# The short escapes of JSON (RFC 8259, section 7).
SHORT_ESCAPES = {"\b": b"b", "\f": b"f", "\n": b"n", "\r": b"r", "\t": b"t"}
HTML_NAMES = {"&": "amp|", "<": "lt|", ">": "gt|", '"': "quot|", "'": "apos|"}
# The keys of a contract whose values are prose or data; names and shapes have to stay as they are.
PROSE = ("description", "instructions", "title", "default", "examples")


class _Piece(NamedTuple):
    """Is one form of a value, which can only be where `anchor` occurs.

    Searching the anchor is many times faster than the pattern, which `re` compiles, into its cache, only when it is
    needed.
    """

    anchor: bytes
    pattern: bytes
    replacement: bytes


class Scrubber:
    """Removes `secrets`, values by name, from text; without any it costs nothing."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        names = {piece: name for name, value in secrets.items() for piece in _pieces(value)}
        # Longer values first, since a value may begin with another.
        self._pieces = [
            _Piece(anchor, pattern, f"[secret {names[anchor, pattern]}]".encode())
            for anchor, pattern in sorted(names, key=lambda piece: len(piece[1]), reverse=True)
        ]
        # The places of pieces in the list, by the beginning of their anchors; pieces with short anchors are always
        # searched for.
        self._index: dict[bytes, list[int]] = {}
        self._always = list(range(len(self._pieces)))
        if len(self._pieces) > MANY:
            self._always = [at for at, piece in enumerate(self._pieces) if len(piece.anchor) < INDEXED]
            for at, piece in enumerate(self._pieces):
                if len(piece.anchor) >= INDEXED:
                    self._index.setdefault(piece.anchor[:INDEXED], []).append(at)
        # The most characters that one value can take up in any form.
        self.longest = max((len(value) * MAX_ESCAPED for value in secrets.values()), default=0) if names else 0

    def data(self, data: bytes) -> bytes:
        for anchor, pattern, replacement in self._candidates(data):
            if anchor in data:
                data = re.sub(pattern, replacement, data)
        return data

    def _candidates(self, data: bytes) -> Iterable[_Piece]:
        """Returns the pieces that may be in `data`, in their order."""
        if not self._index:
            return self._pieces
        index = self._index
        starts = {start for at in range(len(data) - INDEXED + 1) if (start := data[at : at + INDEXED]) in index}
        found = {at for start in starts for at in index[start]}
        return [self._pieces[at] for at in sorted(found.union(self._always))]

    def text(self, text: str) -> str:
        if not self._pieces:
            return text
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def line(self, line: bytes) -> bytes:
        """Returns a line of output, a record or plain text, without secrets; a record stays a record, whatever the
        secrets are, and so does what follows it (guard.audit).
        """
        if not self._pieces:
            return line
        clean = self.data(line)
        if clean == line or not line.startswith(RECORD):
            return clean
        record, *others = line[1:].split(RECORD)
        try:
            fields = json.loads(record)
            fields = {key: value if key in OWN_FIELDS else self.value(value) for key, value in fields.items()}
            said = [fields, *(self.value(json.loads(other)) for other in others)]
        except (ValueError, AttributeError, RecursionError):
            return clean
        return b"".join(RECORD + _as_json(each) for each in said) + b"\n"

    def value(self, value: Any) -> Any:
        """Returns a JSON value with every text in it scrubbed, except keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value

    def prose(self, value: Any) -> Any:
        """Returns a JSON value in which the values of the keys PROSE are scrubbed."""
        if not self._pieces:
            return value
        if isinstance(value, list):
            return [self.prose(item) for item in value]
        if isinstance(value, dict):
            return {k: self.value(v) if k in PROSE and not _is_schema(v) else self.prose(v) for k, v in value.items()}
        return value

    def whole(self, text: str) -> int:
        """Returns how many characters from the start can be passed on without splitting a value."""
        cut = max(len(text) - self.longest, 0)
        if not self._pieces:
            return cut
        data = text.encode("utf-8", "surrogatepass")
        end = before = len(text[:cut].encode("utf-8", "surrogatepass"))
        spans = [match.span() for piece in self._pieces for match in re.finditer(piece.pattern, data)]
        for start, stop in sorted(spans, reverse=True):
            if start < end < stop:
                end = start
        return cut if end == before else len(data[:end].decode("utf-8", "surrogatepass"))


def _as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _is_schema(value: Any) -> bool:
    """Tells whether a value is the schema of a parameter, which may itself be called `title`."""
    return isinstance(value, dict) and ("type" in value or "anyOf" in value or "$ref" in value)


def _pieces(value: str) -> Iterator[tuple[bytes, bytes]]:
    """Yields the anchors and patterns of one value."""
    core = value.strip()
    if len(core) < MIN_CHARACTERS:
        return
    texts = {core} | {line.strip() for line in core.splitlines() if len(line.strip()) >= MIN_LINE}
    if len(decoded := unquote(core)) >= MIN_CHARACTERS:
        texts.add(decoded)
    for text in texts:
        yield from _literal(text) if len(core) > MAX_TOLERANT else [_escaped(text)]
    data = core.encode("utf-8", "surrogatepass")
    for digits in (data.hex().encode(), data.hex().upper().encode()):
        yield digits, digits
    for offset in range(3):
        yield _base64(_encoded(data, offset))
    alone = _encoded(data, 0)
    yield from (_base64(alone[at : at + MIME_LINE]) for at in range(0, len(alone) - MIN_LINE, MIME_LINE))


def _encoded(data: bytes, offset: int) -> str:
    """Returns the base64 characters that depend on `data` alone when `offset` bytes (modulo 3) precede it."""
    first = (offset * 8 + 5) // 6
    last = (offset + len(data)) * 8 // 6
    return base64.b64encode(bytes(offset) + data).decode()[first:last]


def _base64(text: str) -> tuple[bytes, bytes]:
    either = {"+": rb"(?:[+-]|%2[Bb])", "/": rb"(?:[/_]|%2[Ff]|" + ESCAPES + rb"/)"}
    pattern = b"".join(either.get(character, character.encode()) for character in text)
    return max(re.split("[+/]", text), key=len).encode(), pattern


def _literal(text: str) -> Iterator[tuple[bytes, bytes]]:
    escaped = (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])
    for form in {text, quote(text), quote(text, safe=""), quote_plus(text), html.escape(text), *escaped}:
        data = form.encode("utf-8", "surrogatepass")
        yield data, re.escape(data)


def _escaped(text: str) -> tuple[bytes, bytes]:
    # A run of backslashes matches longer ones, since each escaping doubles them.
    parts = re.split(r"(\\+)", text)
    pattern = b"".join(
        rb"(?:\\|%%5[Cc]){1,%d}" % (8 * len(part)) if part.startswith("\\") else b"".join(map(_character, part))
        for part in parts
    )
    return max(re.split(r"[^A-Za-z0-9._~-]", text), key=len).encode(), pattern


def _character(character: str) -> bytes:
    data = character.encode("utf-8", "surrogatepass")
    literal = re.escape(data)
    if character.isascii() and (character.isalnum() or character in "-._~"):
        return literal
    percent = b"".join(b"%%(?:%02X|%02x)" % (byte, byte) for byte in data)
    ways = [literal, percent]
    units = character.encode("utf-16-be", "surrogatepass")
    ways.append(b"".join(ESCAPES + b"u(?:%s|%s)" % (u.hex().encode(), u.hex().upper().encode()) for u in _pairs(units)))
    if character == " ":
        ways.append(rb"\+")
    elif character in SHORT_ESCAPES:
        ways.append(ESCAPES + SHORT_ESCAPES[character])
    elif character in "\"'/":
        ways.append(ESCAPES + b"(?:" + literal + b"|" + percent + b")")
    number, named = ord(character), HTML_NAMES.get(character, "")
    ways.append(f"&(?:{named}#0*{number}|#[xX]0*(?:{number:x}|{number:X}));".encode())
    if not character.isascii() or not character.isprintable():
        ways.append(b"".join(ESCAPES + b"x%02x" % byte for byte in data))
        if ord(character) < 256:
            ways.append(ESCAPES + b"x%02x" % ord(character))
        elif ord(character) > 0xFFFF:
            ways.append(ESCAPES + b"U%08x" % ord(character))
    return b"(?:" + b"|".join(ways) + b")"


def _pairs(units: bytes) -> list[bytes]:
    return [units[at : at + 2] for at in range(0, len(units), 2)]
