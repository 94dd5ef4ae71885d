"""Resolves Requirements into exact versions with uv, which reads the project's own files in a copy of the project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from ..config.inline_metadata import inline_metadata
from ..errors import LockError
from ..temporary import temporary_folder
from .model import RUNTIME_BOUNDS, Interpreter, ProjectFile, Requirements, Resolved
from .poetry import dependencies_only
from .pyproject import load_toml, paths_outside, uses_poetry
from .requirements_txt import CONSTRAINT, CONTENT, content_hash
from .scratch import scratch_copy
from .uv import UvError, resolve_with_uv, run_uv
from .wheel import local_wheel

# fastmcp 2 and 3 need mcp 1, and some of their releases do not say so.
OLD_SDK = ("mcp<2",)
_OLD_FASTMCP = re.compile(r"(?m)^fastmcp==[23]\.")

_COMPILE = ("pip", "compile", "--generate-hashes", "--no-header", "--no-annotate", "--emit-index-annotation")
_EXPORT = ("export", "--frozen", "--no-emit-project", "--format", "requirements-txt", "--no-header", "--no-annotate")
_ANNOTATION = re.compile(r"(?m)^\s+# from (\S+)\n?")
_REGISTRY = re.compile(r'registry = "([^"]+)"')


def resolve(requirements: Requirements, interpreter: Interpreter, cache: Path, previous: str) -> Resolved:
    """Resolves `requirements`; if only some packages are upgraded, the others stay as in `previous`, a lock's text.

    Raises UvError when there is no solution, and LockError when a local package cannot be built.
    """
    with _place(requirements.file) as place:
        resolution = _Resolution(requirements, interpreter, cache, place, previous)
        file = requirements.file
        text = resolution.exported(file) if file and file.lock else resolution.compiled()
        return Resolved(text, resolution.local, tuple(resolution.notes))


@contextmanager
def _place(file: ProjectFile | None) -> Iterator[Path]:
    """Yields a copy of the project for uv to read, or an empty folder.

    uv would otherwise read the configuration of the project that it is started in.
    """
    if file is None:
        with temporary_folder("lock") as folder:
            yield folder
        return
    data = load_toml(file.root / file.path) if file.path.endswith(".toml") else {}
    outside = set(paths_outside(data, (file.root / file.path).parent, file.root.resolve()))
    with scratch_copy(file.root, (file.path, file.lock), sorted(outside)) as copy:
        yield copy


class _Resolution:
    def __init__(
        self, requirements: Requirements, interpreter: Interpreter, cache: Path, place: Path, previous: str
    ) -> None:
        self._requirements = requirements
        self._interpreter = interpreter
        self._cache = cache.resolve()
        self._place = place
        self._upgrade = requirements.upgrade
        self._previous = previous
        self.local: dict[str, str] = {}
        self.notes: list[str] = []

    def compiled(self) -> str:
        """Resolves with `uv pip compile`, within the pins of another tool's lock file if they fit."""
        requirements = self._requirements
        lines = self._localized(requirements.text, self._place).splitlines()
        constraints = [line.removeprefix(CONSTRAINT) for line in lines if line.startswith(CONSTRAINT)]
        pins = self._pins()
        lines += requirements.runtime
        try:
            text = self._compile(lines, [*constraints, *pins])
        except UvError as error:
            if not pins or not _is_conflict(error) or requirements.pins is None:
                raise
            text = self._compile(lines, constraints)
            self.notes.append(f"{requirements.pins.file} does not fit {requirements.origin}: resolved without it")
        text = self._within_bounds(text, lines, [*constraints])
        # The lock's hash has to cover where packages come from, and the content of local ones.
        kept = [line for line in lines if line.startswith(("--", CONTENT))]
        used = _ANNOTATION.findall(text)
        return "\n".join([*kept, *self._indexes(used), _ANNOTATION.sub("", text).strip(), ""])

    def exported(self, file: ProjectFile) -> str:
        """Returns the versions of the project's uv.lock, updated when it is older than its pyproject.toml."""
        folder = (self._place / file.path).parent
        python = ["--python", str(self._interpreter.path), "--no-python-downloads"]
        self._refresh(file, folder, python)
        chosen = [*(f"--extra={extra}" for extra in file.extras), *(f"--group={group}" for group in file.groups)]
        dev = [] if "dev" in file.groups else ["--no-dev"]
        exported = run_uv([*_EXPORT, *python, *dev, *chosen], cwd=folder)
        used = _REGISTRY.findall((self._place / file.lock).read_text(encoding="utf-8"))
        text = self._localized(exported, (self._place / file.lock).parent, resolved=True)
        added = [
            *self._localized(self._requirements.text, self._place).splitlines(),
            *_missing(text, self._requirements.runtime),
        ]
        if added:
            text = self._compile([*text.splitlines(), *added], [], of_file=False)
            used += _ANNOTATION.findall(text)
        content = [line for line in added if line.startswith(CONTENT)]
        return "\n".join([*content, *self._indexes(used), _ANNOTATION.sub("", text).strip(), ""])

    def _refresh(self, file: ProjectFile, folder: Path, python: Sequence[str]) -> None:
        if self._upgrade is not None:
            named = [f"--upgrade-package={name}" for name in self._upgrade] or ["--upgrade"]
            resolve_with_uv(["lock", *python, *named], cwd=folder)
            self.notes.append(f"{file.lock} itself stays as it is: `uv lock --upgrade` brings it up to date")
            return
        try:
            resolve_with_uv(["lock", "--check", *python], cwd=folder)
        except UvError as error:
            if "needs to be updated" not in error.stderr:
                return  # the export reports a lock that cannot be used at all
            resolve_with_uv(["lock", *python], cwd=folder)
            self.notes.append(f"{file.lock} is older than {file.path}, and was resolved again: `uv lock` updates it")

    def _compile(self, lines: Sequence[str], constraints: Sequence[str], *, of_file: bool = True) -> str:
        file = self._requirements.file if of_file else None
        folder = (self._place / file.path).parent if file else self._place
        args = [*_COMPILE, *self._interpreter.uv_options, "-"]
        if file:
            args += [self._named(file, folder), *(f"--extra={extra}" for extra in file.extras)]
            args += [f"--group={group}" for group in file.groups if not self._is_poetry(file)]
        with temporary_folder("lock") as scratch:
            if constraints:
                args += ["--constraint", str(_written(scratch, "constraints.txt", "\n".join(constraints)))]
            if self._upgrade is not None:
                args += [f"--upgrade-package={name}" for name in self._upgrade] or ["--upgrade"]
                if self._upgrade:
                    args += ["--output-file", str(_written(scratch, "lock.txt", self._previous))]
            resolved = resolve_with_uv(args, input="\n".join(lines) + "\n", cwd=folder)
        return self._localized(resolved, folder, resolved=True)

    def _named(self, file: ProjectFile, folder: Path) -> str:
        """Returns the name of the file that uv gets, which is rewritten if uv cannot read the user's."""
        path = self._place / file.path
        if self._is_poetry(file):
            path.write_text(dependencies_only(load_toml(file.root / file.path), file.groups))
        elif path.suffix == ".py" and path.name != "setup.py":
            # `uv pip compile` ignores the sources in a script's metadata.
            metadata = inline_metadata(path, file.path)
            project = {"name": "script", "version": "0", "dependencies": metadata.get("dependencies", [])}
            import tomlkit

            path = folder / "pyproject.toml"
            path.write_text(tomlkit.dumps({"project": project, "tool": metadata.get("tool", {})}))
        return path.name

    def _is_poetry(self, file: ProjectFile) -> bool:
        return file.path.endswith(".toml") and uses_poetry(load_toml(file.root / file.path))

    def _pins(self) -> list[str]:
        if self._requirements.pins is None:
            return []
        pins = self._requirements.pins.constraints
        if self._upgrade is None:
            return list(pins)
        freed = {canonicalize_name(name) for name in self._upgrade}
        return [pin for pin in pins if freed and canonicalize_name(pin.partition("==")[0]) not in freed]

    def _within_bounds(self, text: str, lines: Sequence[str], constraints: Sequence[str]) -> str:
        """Returns `text`, or another resolution if it has an SDK that is too new for the code and an older
        one will do.
        """
        bounds = {*self._requirements.bounds, *(OLD_SDK if _OLD_FASTMCP.search(text) else ()), *RUNTIME_BOUNDS}
        over = exceeded(sorted(bounds), text)
        if not over:
            return text
        try:
            bounded = self._compile(lines, [*constraints, *over])
        except UvError:
            return text
        origin = self._requirements.origin
        if sdks := ", ".join(bound for bound in over if bound not in RUNTIME_BOUNDS):
            self.notes.append(f"{sdks} was added: {origin} sets no limit, and the code is for that generation")
        return bounded

    def _indexes(self, used: Sequence[str]) -> list[str]:
        """Returns the indexes that a package comes from, since the others may not even exist."""
        indexes = self._requirements.file.indexes if self._requirements.file else ()
        places = {_place_of(url) for url in used}
        return [line for line in indexes if _place_of(line.partition(" ")[2]) in places]

    def _localized(self, text: str, base: Path, *, resolved: bool = False) -> str:
        """Returns `text` with local packages replaced by their wheels, which nobody changes.

        Once `resolved`, whatever has no version is a path.
        """
        return "\n".join(self._wheel_line(line, base, resolved) for line in text.splitlines())

    def _wheel_line(self, line: str, base: Path, resolved: bool) -> str:
        found = _local_reference(line, resolved)
        if found is None:
            return line
        target, extras, rest = found
        package = self._real((base / target).resolve())
        if not package.exists():
            raise LockError(f"the local package {target} does not exist", hint="Correct its path.")
        if package.is_relative_to(self._cache):
            return line
        self.local[str(package)] = content_hash(package)
        wheel = local_wheel(package, self._interpreter, self._cache)
        if wheel.suffix != ".whl":
            return f"{wheel.as_uri()}{rest}"
        return f"{parse_wheel_filename(wheel.name)[0]}{extras} @ {wheel.as_uri()}{rest}"

    def _real(self, path: Path) -> Path:
        """Returns the user's path for a path in the copy."""
        file = self._requirements.file
        if file is None:
            return path
        above = self._place.resolve()
        for _ in file.root.resolve().parts[1:]:
            above = above.parent
        return Path("/", path.relative_to(above)) if path.is_relative_to(above) else path


def _local_reference(line: str, resolved: bool) -> tuple[str, str, str] | None:
    """Returns the path, the extras and the rest of a line that names a local package, None for any other line."""
    body = re.sub(r"^(?:-e|--editable)[\s=]+", "", line)
    if not body.strip() or body.startswith(("-", "#", " ")):
        return None
    reference = re.split(r"\s+(?:;|\\|--hash)|;", body, maxsplit=1)[0].strip()
    rest = body[len(reference) :]
    name, at, url = reference.partition(" @ ")
    target = url.strip() if at else reference
    if target.startswith("file:"):
        split = urlsplit(target)
        target = unquote(split.path)
    elif at or "://" in target or "==" in target or not (resolved or body != line or target.startswith((".", "/"))):
        return None
    extras = re.search(r"\[[^\]]*\]$", name if at else target)
    if extras and not at:
        target = target[: extras.start()]
    return target, extras[0] if extras else "", rest


def _missing(text: str, runtime: Iterable[str]) -> list[str]:
    """Returns the runtime's requirements that no pin of the text satisfies."""
    return [str(each) for each in map(Requirement, runtime) if not _keeps(text, each, absent=False)]


def exceeded(bounds: Iterable[str], text: str) -> list[str]:
    """Returns the bounds (`mcp<2`) that a version in a lock's text exceeds."""
    return [bound for bound in bounds if not _keeps(text, Requirement(bound))]


def _keeps(text: str, wanted: Requirement, *, absent: bool = True) -> bool:
    pin = re.search(rf"^{wanted.name}(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    return wanted.specifier.contains(pin[1], prereleases=True) if pin else absent


def _place_of(url: str) -> str:
    """Returns the place of an index without the credentials that may be in its URL."""
    split = urlsplit(url)
    return f"{split.hostname}:{split.port}{split.path.rstrip('/')}"


def _is_conflict(error: UvError) -> bool:
    return "No solution found" in error.stderr


def _written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text + "\n")
    return file
