"""Checks a requirements.txt and makes it self-contained: nested files are inserted, local packages get full paths.

The format is https://pip.pypa.io/en/stable/reference/requirements-file-format/. uv resolves from the text that
`read_file` and `read_text` return: requirements, `--` options about indexes, and three kinds of homeport's own
comments.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from ..config.paths import CONTROL, exists
from ..errors import ConfigError

CONSTRAINT = "# constraint: "  # limits a version without asking for the package
CONTENT = "# content: "  # the hash of a local package, so that a change to it changes the text
ITSELF = "# itself: "  # the project's own dependencies, with the extras that follow: `-e .[dev]`

SHOWN = 100  # characters of a line in a message

_INDEX_OPTIONS = {"-i": "--index-url", "-f": "--find-links"} | {
    name: name for name in ("--index-url", "--extra-index-url", "--find-links", "--no-binary", "--only-binary")
}
_NO_INDEX = "--no-index"
_HARMLESS = {"--prefer-binary", "--require-hashes", "--use-feature"}
_NESTED = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
_EDITABLE = {"-e", "--editable"}
_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASHES = re.compile(r"(\s+--hash[=\s]\S+)+\s*$")
_URL = re.compile(r"^(?:(?:git|hg|svn|bzr)\+[\w+]+://|https?://)", re.IGNORECASE)
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tar.bz2", ".tgz")
# The form of nearly every requirement; PEP 508 allows much more.
_BOUND = r" ?(==|>=|<=|!=|>|<) ?\d+(\.\d+)*"
PLAIN = re.compile(rf"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?(\[[a-z0-9]+(-[a-z0-9]+)*\])?({_BOUND}(,{_BOUND})*)?", re.ASCII)
_ITSELF = re.compile(r"^\./?(?:\[([\w\s,.-]*)\])?$")


def read_file(folder: Path, file: Path) -> str:
    """Returns the checked text of requirements file `file` in the project `folder`.

    Raises ConfigError, with file and line, for what is malformed, unsupported, or includes a file from outside.
    """
    return _join(_Reader(folder.resolve(), file.resolve().parent).file(file.resolve(), ()))


def read_text(folder: Path, text: str, origin: str) -> str:
    """Returns the checked form of `text` that was found in `origin`, whose paths are relative to `folder`.

    Raises ConfigError as `read_file` does.
    """
    reader = _Reader(folder.resolve(), folder.resolve())
    return _join(reader.text(text, reader.root, origin, ()))


def check_requirement(requirement: str, where: str) -> str:
    """Returns `requirement` if it is one by PEP 508.

    Raises ConfigError otherwise, which says where it stands.
    """
    if PLAIN.fullmatch(requirement):
        return requirement
    # Imported late: `packaging` takes a twentieth of the time of a redeploy, which seldom needs it.
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(requirement)
    except InvalidRequirement as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(
            f"{where}: {requirement!r} is not a requirement: {problem}", hint="Write one such as requests>=2.32."
        ) from error
    return requirement


def _join(lines: Iterator[str]) -> str:
    text = "\n".join(lines)
    return f"{text}\n" if text else ""


class _Reader:
    def __init__(self, root: Path, itself: Path) -> None:
        self.root = root
        self._itself = itself

    def file(self, file: Path, above: tuple[Path, ...], *, constraints: bool = False) -> Iterator[str]:
        name = file.relative_to(self.root).as_posix()
        if file in above:
            raise ConfigError(f"{name} includes itself")
        try:
            text = _decoded(file.read_bytes())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{name} cannot be read: {reason}", hint=f"Look at {file}.") from error
        for line in self.text(text, file.parent, name, (*above, file)):
            yield CONSTRAINT + line if constraints and not line.startswith(("#", "--")) else line

    def text(self, text: str, base: Path, name: str, above: tuple[Path, ...]) -> Iterator[str]:
        for number, line in _logical_lines(text):
            where = f"{name}, line {number}"
            if CONTROL.search(line):
                raise ConfigError(f"{where}: it has a control character")
            try:
                yield from self._line(line, base, where, above)
            except OSError as error:
                raise ConfigError(f"{where}: {error.strerror}: {line[:SHOWN]}") from error

    def _line(self, line: str, base: Path, where: str, above: tuple[Path, ...]) -> Iterator[str]:
        option, value = _option(line)
        if option in _NESTED:
            target = self._within(base, value, where)
            if not target.is_file():
                raise ConfigError(f"{where}: {value} does not exist")
            yield from self.file(target, above, constraints=_NESTED[option] == "-c")
        elif option in _INDEX_OPTIONS:
            if _INDEX_OPTIONS[option] == "--find-links" and "://" not in value:
                value = str(self._within(base, value, where))
            yield f"{_INDEX_OPTIONS[option]} {value}"
        elif option == _NO_INDEX:
            yield _NO_INDEX
        elif option in _EDITABLE:
            yield from self._package(value, base, where)
        elif option == "":
            yield from self._package(line, base, where)
        elif option not in _HARMLESS:
            raise ConfigError(
                f"{where}: the option {option} is not supported",
                hint="Take it out; uv reads such settings from its environment variables (UV_PRERELEASE=allow, ...).",
            )

    def _package(self, line: str, base: Path, where: str) -> Iterator[str]:
        found = _HASHES.search(line)
        hashes = f" {' '.join(found[0].split())}" if found else ""
        line = line[: found.start()].strip() if found else line.strip()
        itself = _ITSELF.match(line)
        if itself and base == self._itself:
            yield ITSELF + ",".join(extra.strip() for extra in (itself[1] or "").split(",") if extra.strip())
        elif _URL.match(line):
            yield line + hashes
        elif (local := _local_path(line)) is not None:
            yield from self._local(line, local, base, where)
        else:
            yield check_requirement(line, where) + hashes

    def _local(self, line: str, path: str, base: Path, where: str) -> Iterator[str]:
        target = (base / path.removeprefix("file://")).resolve()
        if not exists(target):
            raise ConfigError(f"{where}: {path} does not exist")
        extras = re.search(r"\[[\w\s,.-]*\]$", line.partition(";")[0].strip())
        name = line.partition("@")[0].strip() if " @ " in line else ""
        marker = f" ;{line.partition(';')[2]}" if ";" in line else ""
        shown = target.relative_to(self.root) if target.is_relative_to(self.root) else target
        yield f"{CONTENT}{shown.as_posix()} sha256:{content_hash(target)}"
        yield f"{name} @ {target.as_uri()}{marker}" if name else f"{target}{extras[0] if extras else ''}{marker}"

    def _within(self, base: Path, path: str, where: str) -> Path:
        target = (base / path.removeprefix("file://")).resolve()
        if not target.is_relative_to(self.root):
            raise ConfigError(
                f"{where}: {path} is outside the project folder",
                hint="Move it into the project, or publish it to an index.",
            )
        return target


def _decoded(data: bytes) -> str:
    """Decodes a file as UTF-8, or as UTF-16, in which Windows PowerShell writes `pip freeze > requirements.txt`."""
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_utf16 else "utf-8-sig")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields the lines with continuations joined and comments removed, each with the number of its first line."""
    held, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        start = start if held else number
        if raw.endswith("\\") and not raw.lstrip().startswith("#"):
            held += raw[:-1] + " "
            continue
        line = _COMMENT.sub("", held + raw).strip()
        held = ""
        if line:
            yield start, line
    if held.strip():
        yield start, held.strip()


def _option(line: str) -> tuple[str, str]:
    """Returns the option at the start of a line, empty if there is none, and its value, for `-r x`, `-rx` and
    `--name=x`.
    """
    if not line.startswith("-"):
        return "", line
    if not line.startswith("--"):
        return line[:2], line[2:].strip().removeprefix("=").strip()
    name, *value = re.split(r"[\s=]+", line, maxsplit=1)
    return name, "".join(value)


def _local_path(line: str) -> str | None:
    """Returns the path that a requirement names, None if it names a package of an index."""
    bare = line.partition(";")[0].strip()
    if " @ " in bare:
        target = bare.partition(" @ ")[2].strip()
        return None if _URL.match(target) else target
    path = re.sub(r"\[[\w\s,.-]*\]$", "", bare)
    is_path = path.startswith((".", "/", "~", "file:")) or "/" in path or path.endswith(_ARCHIVES)
    return path if is_path else None


def content_hash(path: Path) -> str:
    """Returns the hash of a local package: of an archive, or of the files of a folder that belong to it."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    from .source import collect_source

    files = collect_source(path, None).files
    return hashlib.sha256("\n".join(f"{file.path} {file.sha256}" for file in files).encode()).hexdigest()
