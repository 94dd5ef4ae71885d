"""Prepares a package of a workspace of Node together with those beside it that it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.node_workspace import KINDS, read_workspace
from ..config.package_json import PACKAGE, read_package
from ..config.project import Project

MODULES = "node_modules"


def is_member(project: Project) -> bool:
    """Tells whether the project is a package of a workspace of Node, whose root is the project's folder."""
    return bool(project.member) and (project.folder / project.member / PACKAGE).is_file()


def used_packages(project: Project) -> tuple[str, ...]:
    """Returns the folders of the packages that the project consists of, its own the last, and each after those that it
    needs.
    """
    return (*read_workspace(project.folder).needed(project.member), project.member)


def merged_package(project: Project) -> dict[str, Any]:
    """Returns a package.json with what is installed for all packages of the project: what they need of a registry.

    Where they ask for different versions of a package, the project's own decides, and the workspace's root the last.
    """
    workspace = read_workspace(project.folder)
    root = read_package(project.folder) or {}
    own = {str(package.get("name")) for package in workspace.packages.values()}
    merged = {kind: _asked(root, kind) for kind in KINDS}
    for folder in used_packages(project):
        for kind in KINDS:
            merged[kind] |= _asked(workspace.packages.get(folder, {}), kind)
    kept = {kind: {name: each for name, each in merged[kind].items() if name not in own} for kind in KINDS}
    return {"private": True, **kept, **{key: root[key] for key in ("overrides", "resolutions") if key in root}}


def link_packages(project: Project, app: Path) -> None:
    """Makes in `app`, a copy of the project, the links by which its packages find each other.

    They are where pnpm makes them, since Node looks there first: https://nodejs.org/api/modules.html.
    """
    workspace = read_workspace(project.folder)
    for folder in used_packages(project):
        for name, needed in workspace.beside(folder).items():
            link = app / folder / MODULES / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(app / needed, link.parent))


def _asked(package: Mapping[str, Any], kind: str) -> dict[str, Any]:
    asked = package.get(kind)
    return dict(asked) if isinstance(asked, dict) else {}
