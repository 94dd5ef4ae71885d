"""Makes texts of strangers fit for records."""

from __future__ import annotations

# The characters of a caller's texts that are recorded, and of names of tools and prompts: a record of a megabyte would
# push a thousand others out of the log.
MAX_SHOWN = 200
MAX_NAME = 128


def shown(text: object, most: int = MAX_SHOWN) -> str:
    """Returns a caller's text as it is recorded: cut, and with escapes for what is invisible or could
    steer a terminal.
    """
    if not isinstance(text, str):
        return "None" if text is None else "?"
    text = text[:most]
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)[:most]
