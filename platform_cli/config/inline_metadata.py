"""Reads the metadata that a script carries in itself (PEP 723).

See https://packaging.python.org/en/latest/specifications/inline-script-metadata/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tomli

from ..errors import ConfigError

# The regular expression of the specification's reference implementation.
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def inline_metadata(file: Path, shown: str) -> dict[str, Any]:
    """Returns the content of the `# /// script` block of `file`, which is empty when it has none.

    Raises ConfigError for a block that is not TOML, and for a second block.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}  # what is wrong with it is reported where its imports are read
    blocks = [match for match in _BLOCK.finditer(text) if match["type"] == "script"]
    if not blocks:
        return {}
    if len(blocks) > 1:
        raise ConfigError(f"{shown} has {len(blocks)} `# /// script` blocks; one is allowed (PEP 723)")
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(True))
    try:
        return tomli.loads(content)
    except tomli.TOMLDecodeError as error:
        line = text.count("\n", 0, blocks[0].start("content")) + error.lineno
        raise ConfigError(f"{shown}, line {line}: the `# /// script` block is not TOML: {error.msg}") from error
    except (ValueError, RecursionError):  # a number of thousands of digits; nested thousands deep
        raise ConfigError(f"{shown}: the `# /// script` block holds a value too large to read") from None
