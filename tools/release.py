"""Makes a release: `python -m tools.release VERSION` (`make release VERSION=...`), from a clean checkout.

Version, changelog and tag are checked against each other. Then the wheel and the sdist are built into dist/, and the
wheel is tried in an empty environment: it says its version, and deploys an example. Nothing is published and no tag is
made: the commands for both are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).parent.parent
EXAMPLE = Path("examples", "expense_tracker")
# The newest entry of CHANGELOG.md: `## 0.2.0 (2026-12-01)`, or `(unreleased)` while it is written.
ENTRY = re.compile(r"^## (\S+) \((\d{4}-\d\d-\d\d|unreleased)\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Stated:
    """Holds what a checkout says of the release. `entry` is the version of the changelog's newest entry and its date,
    `tag` the commit that the release's tag names, `head` the one that is checked out.
    """

    project: str
    module: str
    entry: tuple[str, str] | None
    tag: str | None
    head: str
    is_clean: bool


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.release")
    parser.add_argument("version", help="such as 0.2.0")
    version: str = parser.parse_args().version
    if found := problems(version, read_stated(ROOT, version)):
        print(*found, sep="\n", file=sys.stderr)
        return 1
    _run("uv", "lock", "--check", cwd=ROOT)
    with tempfile.TemporaryDirectory(prefix="homeport-release-") as folder:
        wheel = _build(version)
        _try(wheel, version, Path(folder))
    print(f"\n{wheel.parent} has the release; publish it with\n")
    print(f"  git tag v{version} && git push origin v{version}\n  uv publish {wheel.parent}/homeport-{version}*")
    return 0


def read_stated(root: Path, version: str) -> Stated:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    module = re.search(r'^__version__ = "(.+)"$', (root / "platform_cli" / "__init__.py").read_text(), re.MULTILINE)
    entry = ENTRY.search((root / "CHANGELOG.md").read_text())
    tag = _git(root, "rev-parse", "--quiet", "--verify", f"v{version}^{{commit}}")
    return Stated(
        project=project,
        module=module[1] if module else "",
        entry=(entry[1], entry[2]) if entry else None,
        tag=tag or None,
        head=_git(root, "rev-parse", "HEAD"),
        is_clean=not _git(root, "status", "--porcelain"),
    )


def problems(version: str, stated: Stated) -> list[str]:
    """Returns why `version` cannot be released from what is `stated`, in sentences; none if it can."""
    try:
        canonical = str(Version(version))
    except InvalidVersion:
        return [f"{version} is no version: see https://packaging.python.org/specifications/version-specifiers/"]
    found = [] if canonical == version else [f"{version} is written {canonical}"]
    if stated.project != version:
        found.append(f"pyproject.toml has version {stated.project}")
    if stated.module != version:
        found.append(f"platform_cli/__init__.py has version {stated.module or 'none'}")
    if stated.entry is None or stated.entry[0] != version:
        found.append(f"CHANGELOG.md begins with {stated.entry[0] if stated.entry else 'no entry'}")
    elif stated.entry[1] == "unreleased":
        found.append(f"CHANGELOG.md says that {version} is unreleased: write the date")
    if stated.tag not in (None, stated.head):
        found.append(f"the tag v{version} is at another commit, {stated.tag}")
    if not stated.is_clean:
        found.append("the checkout has changes that are not committed")
    return found


def _build(version: str) -> Path:
    """Returns the wheel; the sdist lies beside it."""
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    _run("uv", "build", "--out-dir", str(dist), cwd=ROOT)
    (wheel,) = dist.glob(f"homeport-{version}-*.whl")
    return wheel


def _try(wheel: Path, version: str, folder: Path) -> None:
    """As somebody who has only the wheel; all that it does is below `folder`. Raises SystemExit where it fails."""
    environment, project = folder / "environment", folder / EXAMPLE.name
    _run("uv", "venv", "--python", sys.executable, str(environment), cwd=folder)
    _run("uv", "pip", "install", "--python", str(environment), str(wheel), cwd=folder)
    homeport = str(environment / "bin" / "homeport")
    said = _run(homeport, "--version", cwd=folder).strip()
    if said != f"homeport, version {version}":
        raise SystemExit(f"the wheel says of itself: {said}")
    shutil.copytree(ROOT / EXAMPLE, project)
    home = {"HOMEPORT_HOME": str(folder / "home")}
    try:
        deployed = json.loads(_run(homeport, "deploy", "--json", cwd=project, **home))
        _run(homeport, "call", deployed["project"], "get_summary", cwd=project, **home)
    finally:
        _run(homeport, "platform", "stop", cwd=project, **home)


def _run(*command: str, cwd: Path, **variables: str) -> str:
    """Returns what the command printed. Raises SystemExit if it fails."""
    print("$", *command, file=sys.stderr, flush=True)
    # uv is where this interpreter is.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path, **variables}
    done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}`{' '.join(command)}` ended with exit code {done.returncode}")
    return done.stdout


def _git(root: Path, *arguments: str) -> str:
    """Returns what git printed; nothing if it failed."""
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
