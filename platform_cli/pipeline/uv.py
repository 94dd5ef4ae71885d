"""Calls uv as a process, to resolve, to install, and to search for interpreters."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from ..errors import BuildError
from ..temporary import temporary_folder
from .confined import confined, own_temporary_folder, uv_cache, without_keys

GRACE_S = 3.0
TIMEOUT_S = 1200.0
LONGEST_REASON = 700
FREE_DISK = "Free some disk space (`uv cache prune` clears what uv no longer needs), then run the command again."

# Variables that would make uv act on the environment or project that homeport happens to be started from.
_FOREIGN = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "FORCE_COLOR")
_CROSS = "\N{MULTIPLICATION SIGN}"  # what uv before 0.13 puts before its error
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_FILE_URL = re.compile(r"\bfile://(/[^\s#;]+)")
_NO_BUILD = re.compile(r"no usable wheels|no-build|[Bb]uilding (?:source|from source)|is disabled")
# Of an index's page, and of a package's own metadata.
_PYTHON = re.compile(
    r"Python version \(\S+\) does not satisfy Python(\S+)|requires Python ([^\s,a-z]+(?:, [^\s,a-z]+)*)"
)
_CAUSE = re.compile(r"^\s*(?:cause:|Caused by:|[├╰]─▶)\s*")
_CONCLUSION = re.compile(
    r",? we can conclude that (?:your requirements|all versions of .{1,80}) (?:are|is) unsatisfiable\.?$"
)


class UvError(BuildError):
    """Says that uv failed.

    `stderr` is its output with credentials masked, and the message is its reason, shortened.
    """

    def __init__(self, stderr: str) -> None:
        super().__init__(shorten(stderr) or "uv failed without saying why")
        self.stderr = mask(stderr)

    @property
    def build_reason(self) -> str:
        """Returns the last line of a build backend, which uv prints before its own error; the message if
        there is none.
        """
        said = self.stderr.partition("\nerror:")[0].strip().splitlines()
        return said[-1].strip() if len(said) > 1 else self.message

    @property
    def wants_build(self) -> bool:
        """Tells whether uv could have continued if it were allowed to build packages."""
        return _NO_BUILD.search(self.stderr) is not None

    @property
    def wants_python(self) -> str:
        """Returns the Pythons (`>=3.12,<3.14`) of which a package wants one in the place of this one, empty if that was
        not the reason.
        """
        found = _PYTHON.search(" ".join(self.stderr.split()))
        return (found[1] or found[2]).replace(" ", "") if found else ""

    @property
    def disk_full(self) -> bool:
        return "No space left on device" in self.stderr or "os error 28" in self.stderr


def run_uv(args: Sequence[str], *, input: str | None = None, cwd: Path | None = None) -> str:
    """Runs uv and returns its stdout; when interrupted, it ends uv first.

    The user's own UV_* variables stay, so private indexes, proxies and certificates work as they do for uv itself.
    Commands that run code of packages need `build_with_uv`. Raises UvError when uv fails.
    """
    return _run([_binary(), *args], _environment(), input, cwd)


def build_with_uv(args: Sequence[str], *, input: str | None = None, cwd: Path, out: Path | None = None) -> str:
    """Runs uv as `run_uv` does, but confined, for commands that may build packages and so run their code.

    Of the platform's folder that code sees only `cwd`, `out` and the wheels that `input` names. It has a cache of its
    own, since what it writes into the shared one would be installed for others.
    """
    with temporary_folder("uv") as folder:
        wheels = {Path(unquote(path)).parent for path in _FILE_URL.findall(input or "")}
        command = confined(
            [_binary(), *args],
            hidden=[uv_cache()],
            writable=(folder, cwd, *([out] if out else ())),
            read_only=[wheel for wheel in sorted(wheels) if wheel.is_dir()],
        )
        environment = without_keys(_environment()) | own_temporary_folder(folder / "tmp")
        return _run(command, environment | {"UV_CACHE_DIR": str(folder / "cache")}, input, cwd)


def resolve_with_uv(args: Sequence[str], *, input: str | None = None, cwd: Path) -> str:
    """Runs uv as `run_uv` does with wheels alone, and if those are not enough as `build_with_uv` does."""
    try:
        return run_uv(with_wheels(args), input=input, cwd=cwd)
    except UvError as error:
        if not error.wants_build:
            raise
    return build_with_uv(args, input=input, cwd=cwd)


def with_wheels(args: Sequence[str]) -> list[str]:
    """Returns `args` such that nothing is built, and so no code of a package runs."""
    return [*args, "--no-build"]


def _run(command: Sequence[str], environment: Mapping[str, str], input: str | None, cwd: Path | None) -> str:
    # uv gets a process group of its own, since an interrupt has to end the build backends that it starts, too.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        env=environment,
        process_group=0,
    )
    try:
        stdout, stderr = process.communicate(input, TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _end(process)
        raise UvError(f"error: uv took longer than {TIMEOUT_S:g} s") from None
    except BaseException:
        _end(process)
        raise
    if process.returncode != 0:
        raise UvError(stderr)
    return stdout


def shorten(stderr: str) -> str:
    """Returns uv's own reason in a sentence or two, without warnings and progress, and with credentials masked."""
    lines = _error_lines(mask(stderr))
    if not lines:
        return ""
    head = re.sub(rf"^(?:error:|\s*{_CROSS})\s*", "", lines[0]).rstrip(":")
    causes = list(_causes(lines[1:]))
    hints = [line for line in lines if line.startswith("hint: Wheels are available")]
    if head.startswith("No solution found") and causes:
        reason = _CONCLUSION.sub("", causes[0]).rstrip(".,")
    elif head.startswith("Failed to build") or any("build backend" in cause for cause in causes):
        said = [line.strip() for line in lines[1:] if line.startswith(" ") and not _CAUSE.match(line) and line.strip()]
        reason = f"{head}: {said[-1]}" if said else ": ".join([head, *causes[-1:]])
    else:
        # The first cause names what was asked for, the last one what went wrong.
        reason = ": ".join(dict.fromkeys([head, *causes[:1], *causes[-1:]]))
    text = ". ".join([reason, *(hint.removeprefix("hint: ") for hint in hints)])
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def mask(text: str) -> str:
    """Returns `text` with the user and password of every URL replaced by `***`."""
    return _CREDENTIALS.sub("***@", text)


def _binary() -> str:
    from uv import find_uv_bin

    try:
        return find_uv_bin()
    except FileNotFoundError as error:
        raise BuildError(
            "uv is not installed beside homeport", hint="Reinstall homeport: `pip install homeport`."
        ) from error


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in _FOREIGN and not k.startswith("UV_PROJECT")}
    return kept | {"NO_COLOR": "1", "UV_NO_PROGRESS": "1"}


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            process.wait()
        return


def _error_lines(stderr: str) -> list[str]:
    """Returns the lines from the first error on, else the last line that is no warning."""
    lines: list[str] = []
    in_warning = False
    for line in stderr.splitlines():
        if not line.startswith(" ") or _CROSS in line[:4]:
            in_warning = line.startswith("warning:")
        if not in_warning and line.strip():
            lines.append(line)
    for index, line in enumerate(lines):
        if line.startswith("error:") or _CROSS in line[:4]:
            return lines[index:]
    return lines[-1:]


def _causes(lines: Sequence[str]) -> Iterator[str]:
    """Yields each cause as one line; uv before 0.13 wraps them, newer versions put a program's output below."""
    cause: list[str] = []
    for line in lines:
        if _CAUSE.match(line):
            if cause:
                yield " ".join(cause)
            cause = [_CAUSE.sub("", line).strip()]
        elif not line.startswith(" "):
            break
        elif cause and line.strip() and "[std" not in line:
            cause.append(line.strip())
    if cause:
        yield " ".join(cause)
