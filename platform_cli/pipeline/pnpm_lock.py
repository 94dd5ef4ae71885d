"""Reads the versions in pnpm's lock, so that npm installs those that the project was written with.

npm reads yarn.lock itself, and pnpm's not at all: it would take the newest versions that package.json allows, with
which a project that has a lock was never tried. What pnpm's lock has in several versions npm decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NAME = "pnpm-lock.yaml"
_KINDS = ("dependencies", "devDependencies", "optionalDependencies")
_SECTION = re.compile(r"(?ms)^packages:\n(.*?)(?=^\S|\Z)")
# `'@scope/name@1.2.3':` of version 9, `/@scope/name@1.2.3(peer@1.0.0):` of 6, `/@scope/name/1.2.3:` of 5:
# https://github.com/pnpm/spec/tree/master/lockfile
_PACKAGE = re.compile(r"(?m)^  '?/?((?:@[^/@\s]+/)?[^/@\s]+)[@/](\d+\.\d+\.\d+[\w.+-]*)(?:\([^\n]*\))?'?:")


def pinned(package: Mapping[str, Any], lock: str) -> dict[str, Any]:
    """Returns the package.json `package` with the versions of pnpm's `lock`: its own packages name them, and npm's
    `overrides` the others.
    """
    section = _SECTION.search(lock)
    versions: dict[str, set[str]] = {}
    for name, version in _PACKAGE.findall(section[1]) if section else ():
        versions.setdefault(name, set()).add(version)
    only = {name: next(iter(found)) for name, found in versions.items() if len(found) == 1}
    own = {
        kind: {name: only.get(name, wanted) for name, wanted in package[kind].items()}
        for kind in _KINDS
        if isinstance(package.get(kind), dict)
    }
    direct = {name for names in own.values() for name in names}
    # npm refuses to override what a package asks for itself.
    others = {name: version for name, version in only.items() if name not in direct}
    declared = package.get("overrides")
    return {**package, **own, "overrides": others | (declared if isinstance(declared, dict) else {})}
