"""Reads the versions in the locks of pnpm and bun, so that npm installs those that the project was written with.

npm reads yarn.lock itself, and these not at all, nor its own one for a part of a workspace: it would take the newest
versions that package.json allows, with which a project that has a lock was never tried. What such a lock has in several
versions npm decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_KINDS = ("dependencies", "devDependencies", "optionalDependencies")
_VERSION = r"\d+\.\d+\.\d+[\w.+-]*"
_PNPM_SECTION = re.compile(r"(?ms)^packages:\n(.*?)(?=^\S|\Z)")
# `'@scope/name@1.2.3':` of version 9, `/@scope/name@1.2.3(peer@1.0.0):` of 6, `/@scope/name/1.2.3:` of 5:
# https://github.com/pnpm/spec/tree/master/lockfile
_PNPM_PACKAGE = re.compile(rf"(?m)^  '?/?((?:@[^/@\s]+/)?[^/@\s]+)[@/]({_VERSION})(?:\([^\n]*\))?'?:")
# `"where/name": ["@scope/name@1.2.3", ...`: https://bun.sh/docs/pm/lockfile
_BUN_PACKAGE = re.compile(rf'(?m)^ +"[^"\n]+": \["((?:@[^/@"\s]+/)?[^/@"\s]+)@({_VERSION})"')


def _pnpm(lock: str) -> list[tuple[str, str]]:
    section = _PNPM_SECTION.search(lock)
    return _PNPM_PACKAGE.findall(section[1]) if section else []


def _bun(lock: str) -> list[tuple[str, str]]:
    return _BUN_PACKAGE.findall(lock)


def _npm(lock: str) -> list[tuple[str, str]]:
    try:
        packages = json.loads(lock).get("packages")
    except (ValueError, AttributeError, RecursionError):
        return []
    entries = packages.items() if isinstance(packages, dict) else ()
    found = ((path.rpartition("node_modules/"), entry) for path, entry in entries if isinstance(entry, dict))
    return [(name, str(entry["version"])) for (_, inside, name), entry in found if inside and "version" in entry]


# What finds the names and versions in each lock; the first lock that a project has is used.
LOCKS: Mapping[str, Callable[[str], list[tuple[str, str]]]] = {
    "package-lock.json": _npm,
    "pnpm-lock.yaml": _pnpm,
    "bun.lock": _bun,
}


def pinned(package: Mapping[str, Any], name: str, lock: str) -> dict[str, Any]:
    """Returns the package.json `package` with the versions of `lock`, the text of the file `name` of LOCKS: its own
    packages name them, and npm's `overrides` the others.
    """
    versions: dict[str, set[str]] = {}
    for found, version in LOCKS[name](lock):
        versions.setdefault(found, set()).add(version)
    only = {found: next(iter(each)) for found, each in versions.items() if len(each) == 1}
    own = {
        kind: {found: only.get(found, wanted) for found, wanted in package[kind].items()}
        for kind in _KINDS
        if isinstance(package.get(kind), dict)
    }
    # npm refuses to override what a package asks for itself.
    peers = package.get("peerDependencies")
    direct = {found for names in (*own.values(), peers) if isinstance(names, dict) for found in names}
    others = {found: version for found, version in only.items() if found not in direct}
    declared = package.get("overrides")
    return {**package, **own, "overrides": others | (declared if isinstance(declared, dict) else {})}
