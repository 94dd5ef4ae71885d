"""Finds commands in files for other tools, which are offered to the person when nothing else says what to run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

_INSTRUCTION = re.compile(r"^\s*(CMD|ENTRYPOINT)\s+(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_COMMAND = re.compile(r"""\bcommand['"]?\s*:\s*['"]([^'"]+)['"]""")
_ARGS = re.compile(r"""\bargs['"]?\s*:\s*\[([^\]]*)\]""")
_WORD = re.compile(r"""['"]([^'"]*)['"]""")


def offered_commands(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields the name of each such file with the command in it, escaped for a TOML string."""
    for name, read in (("Dockerfile", _dockerfile), ("smithery.yaml", _smithery), ("Procfile", _procfile)):
        try:
            text = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if command := read(text):
            yield name, command.replace("\\", "\\\\").replace('"', '\\"')


def _dockerfile(text: str) -> str:
    """Returns the last ENTRYPOINT followed by the last CMD, as a container would run them."""
    last = {match[1].upper(): match[2] for match in _INSTRUCTION.finditer(text.replace("\\\n", " "))}
    return " ".join(_words(last[name]) for name in ("ENTRYPOINT", "CMD") if name in last)


def _words(value: str) -> str:
    """Returns as shell words a command in Docker's exec form (a list in JSON) or shell form."""
    try:
        words = json.loads(value)
    except ValueError:
        return value
    return shlex.join(map(str, words)) if isinstance(words, list) else value


def _smithery(text: str) -> str:
    """Returns the command of `startCommand`, which is written as a JavaScript function."""
    command = _COMMAND.search(text)
    if not command:
        return ""
    args = _ARGS.search(text, command.end())
    return shlex.join([command[1], *(_WORD.findall(args[1]) if args else ())])


def _procfile(text: str) -> str:
    processes = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return next((processes[name].strip() for name in ("web", "worker") if name in processes), "")
