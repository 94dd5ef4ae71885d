"""Turns what strangers wrote, and numbers, into what a person reads.

Tool names, log lines, client names and commit messages are anybody's text: what is invisible in them, or changes the
direction of writing, is shown as its code, and what is long is cut.
"""

from __future__ import annotations

import re
import time
from urllib.parse import quote, urlsplit

# The characters of a text that are shown at most.
MAX_SHOWN = 2000
NOTHING = "\N{EN DASH}"
# Controls but tab and newline; zero width and bidirectional formatting (Unicode Standard Annex 9); line separators;
# tags; and halves of surrogate pairs, which no encoding has.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


class Whole(str):
    """Is a text that is shown in full, such as a build log."""

    __slots__ = ()


def visible(text: str) -> str:
    """Returns a text without anything that cannot be seen, and no longer than MAX_SHOWN, unless it is Whole."""
    more = len(text) - MAX_SHOWN
    if more > 0 and not isinstance(text, Whole):
        text = f"{text[:MAX_SHOWN]} … and {more} characters more"
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def web_link(url: str) -> str | None:
    """Returns a URL that a person may follow, None for any other, such as `javascript:`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None


def in_url(text: str) -> str:
    """Returns a text as a part of a URL's path or query, where nothing of it leads elsewhere."""
    return quote(text, safe="", errors="replace")


def count(number: float) -> str:
    """Returns a number in at most four characters and a unit: 999, 1.2k, 34k, 5.6M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        # What would be rounded to 1000 of a unit is 1 of the next.
        if number >= size * 0.9995:
            share = number / size
            return f"{share:.1f}".removesuffix(".0") + unit if share < 99.95 else f"{share:.0f}{unit}"
    return f"{number:g}"


def milliseconds(ms: float | None) -> str:
    if ms is None:
        return NOTHING
    if ms >= 1000:
        return f"{ms / 1000:.1f} s" if ms < 100_000 else f"{ms / 1000:.0f} s"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def percent(part: float, whole: float) -> str:
    if not whole:
        return NOTHING
    share = 100 * part / whole
    return "0 %" if not share else "< 0.1 %" if share < 0.1 else f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def size(number: float) -> str:
    """Returns a number of bytes: 812 B, 12 kB, 3.4 MB."""
    for unit, many in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= many:
            return f"{number / many:.1f} {unit}" if number < 10 * many else f"{number / many:.0f} {unit}"
    return f"{number:g} B"


def ago(then: float, now: float) -> str:
    """Returns how long ago a time was, as in 5 min ago."""
    seconds = now - then
    if seconds < 0:
        # What ends in almost 12 hours ends in 12.
        return f"in {_span(-seconds * 1.05)}"
    return "just now" if seconds < 10 else f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    for unit, many in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= many:
            return f"{seconds // many:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(seconds: float) -> str:
    """Returns a time as RFC 3339 has it, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
