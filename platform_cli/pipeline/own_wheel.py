"""Builds the wheel of the project itself, to find the files that an installation has and the source does not.

These are added to the app: metadata with the entry points, a generated _version.py, data from elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import SourceError
from .model import Interpreter, SourceFile
from .scratch import scratch_copy
from .source import collect_source
from .wheel import build_wheel


def remember(final: Path, root: Path, prefix: str, interpreter: Interpreter) -> None:
    """Builds the wheel of the project at `prefix` below `root`, and stores in `final` the files that the source does
    not have.

    Raises UvError when it cannot be built.
    """
    source = collect_source(root, None).files
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=final.parent, prefix=".new-"))
    try:
        with scratch_copy(root) as copy:
            build_wheel(copy / prefix, interpreter, new)
        wheel = next(new.glob("*.whl"))
        found = _compare(wheel, [file for file in source if file.path.startswith(prefix)], prefix, new / "files")
        wheel.unlink()
        (new / "package.json").write_text(json.dumps(found))
        shutil.rmtree(final, ignore_errors=True)
        new.rename(final)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _compare(wheel: Path, source: Sequence[SourceFile], prefix: str, folder: Path) -> dict[str, object]:
    """Writes the files of the wheel that `source` does not have below `folder`, and returns the roots of those that it
    has.

    `copied` in the result are source files that the wheel has in another place: a change to one of them changes the
    wheel.
    """
    by_content: dict[str, list[str]] = {}
    for file in source:
        by_content.setdefault(file.sha256, []).append(file.path)
    with zipfile.ZipFile(wheel) as zipped:
        contents = {name: zipped.read(info) for info, name in _members(zipped)}
    identical: dict[str, str] = {}
    roots: Counter[str] = Counter()
    for name, content in contents.items():
        same = by_content.get(hashlib.sha256(content).hexdigest(), ())
        above = [path.removesuffix(name).rstrip("/") for path in same if f"/{path}".endswith(f"/{name}")]
        if above:
            # The shortest path, so that copies of an earlier build in build/lib are not taken.
            identical[name] = min(above, key=lambda folder: (folder.count("/"), len(folder)))
    roots.update(identical.values())
    main = roots.most_common(1)[0][0] if roots else prefix.rstrip("/")
    taken = {file.path for file in source}
    copied: dict[str, str] = {}
    for name, content in contents.items():
        target = f"{main}/{name}" if main else name
        if name in identical or target in taken:
            continue
        sha256 = hashlib.sha256(content).hexdigest()
        copied.update(dict.fromkeys(by_content.get(sha256, ()), sha256) if content else {})
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).write_bytes(content)
    return {"roots": [main, *(root for root, _ in roots.most_common() if root != main)], "copied": copied}


def _members(zipped: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """Yields the files of a wheel with the path at which they are installed, if that is beside the modules.

    See https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
    """
    for info in zipped.infolist():
        name = info.filename
        if match := re.match(r"[^/]+\.data/(purelib|platlib)/(.+)$", name):
            name = match[2]
        # RECORD has hashes of code, and would be out of date as soon as that changes.
        if info.is_dir() or re.match(r"[^/]+\.data/", name) or name.endswith(".dist-info/RECORD"):
            continue
        if ".." in Path(name).parts or name.startswith("/"):
            raise SourceError(f"the wheel of the project has the path {name}", hint="Correct its build configuration.")
        yield info, name
