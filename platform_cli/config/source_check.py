"""Finds mistakes in a server file without running it."""

from __future__ import annotations

import platform
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import SourceError

# Matches the key in pyproject.toml, and in the metadata that a script carries (PEP 723).
_REQUIRES_PYTHON = re.compile(r"""^(?:# )?requires-python\s*=\s*["']([^"']+)["']""", re.MULTILINE)
# The characters of a line that are shown before and after a mistake in it.
_AROUND = 60


def check_source(path: Path, shown: str, *, same_python: bool) -> None:
    """Raises SourceError for a file that cannot be read, for an empty one, and for a syntax error.

    `same_python` means that the server will run on the Python that runs homeport: only then is its grammar the right
    one.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{shown}: cannot be read: {error.strerror}", hint="Look at its permissions.") from None
    if not source.strip():
        raise SourceError(f"{shown} is empty", hint='A server starts with: mcp = FastMCP("name")')
    if same_python:
        _parse(source, shown)


def is_read_by_us(python_version: str | None, places: Iterable[Path]) -> bool:
    """Tells whether the server may run on the Python that runs homeport.

    `python_version` decides, a version or a specifier, else `places`: folders with a .python-version or a
    pyproject.toml, and scripts.
    """
    requests = [python_version] if python_version else list(_requests(places))
    return all(_allows(request, platform.python_version()) for request in requests)


def _requests(places: Iterable[Path]) -> Iterator[str]:
    for place in places:
        files = (place / ".python-version", place / "pyproject.toml") if place.is_dir() else (place,)
        for file in files:
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if file.name == ".python-version":
                yield from text.split()[:1]
            else:
                yield from _REQUIRES_PYTHON.findall(text)


def _allows(request: str, running: str) -> bool:
    """Tells whether a request allows the version `running`; one that is malformed allows all, and is reported later."""
    if re.match(r"\d+(\.\d+)*$", request):
        return (running + ".").startswith(".".join(request.split(".")[:2]) + ".")
    # Imported late, since most projects name a plain version, or none.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(request).contains(running, prereleases=True)
    except InvalidSpecifier:
        return True


def _parse(source: bytes, shown: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # compile() finds what the grammar alone allows, such as `return` outside a function.
            compile(source, shown, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _syntax_error(error, shown) from None
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes before 3.12; absurd nesting
        raise SourceError(f"{shown}: is not Python source: {error}", hint="Is it the right file?") from None


def _syntax_error(error: SyntaxError, shown: str) -> SourceError:
    line, column = error.lineno or 1, max(error.offset or 1, 1)
    text = (error.text or "").rstrip("\n")
    # Of a long line, such as of a program that writes Python, what is around the place.
    first = max(column - _AROUND, 0)
    code = text[first : column + _AROUND].lstrip()
    caret = " " * max(column - 1 - text.index(code, first), 0) + "^"
    excerpt = f"\n    {code.rstrip()}\n    {caret}" if code else ""
    hint = f"Correct {shown}, line {line}."
    return SourceError(f"{shown}:{line}:{column}: {error.msg}{excerpt}", hint=hint)
