"""Tests bundles: they are named by content, and complete or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homeport_runtime.loading.manifest_data import DraftData
from platform_cli.api.inspection import Inspected
from platform_cli.config.project import Entrypoint, Project
from platform_cli.errors import BuildError
from platform_cli.home import Home
from platform_cli.pipeline.bundle import BundleDraft, describe, find_bundle
from platform_cli.pipeline.inspect import inspect_draft
from platform_cli.pipeline.manifest import bundle_hash, read_manifest
from platform_cli.pipeline.model import Inspection, Interpreter, Layer, Lock
from platform_cli.pipeline.source import collect_source
from platform_cli.project_files.imports import walk_modules

FOUND = Inspection(
    "fastmcp", "mcp", "mcp of server.py", {"name": "tiny", "tools": []}, ("json",), (("json", 0.1),), 0.2
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "server.py").write_text("import json\n")
    return Project(folder, Entrypoint("server.py"), environment={"B": "2", "A": "1"})


def manifest_of(project: Project) -> DraftData:
    files = collect_source(project.folder, "server.py")
    interpreter = Interpreter(Path("/python"), "3.11.7", "linux-x86_64")
    lock = Lock("", "1" * 64, "3.11", "linux-x86_64")
    modules = walk_modules(project.folder, "server.py")
    return describe(project, files, interpreter, lock, Layer(Path("/layer"), "1" * 64), "2" * 32, modules=modules)


def test_same_content_same_name(project: Project) -> None:
    name = bundle_hash(manifest_of(project))
    assert bundle_hash(manifest_of(replace(project, environment={"A": "1", "B": "2"}))) == name
    assert bundle_hash(manifest_of(replace(project, environment={"A": "1"}))) != name
    (project.folder / "server.py").write_text("import re\n")
    assert bundle_hash(manifest_of(project)) != name


def test_a_finished_draft_is_found(project: Project, tmp_path: Path) -> None:
    home, manifest = Home(tmp_path / "home"), manifest_of(project)
    name = bundle_hash(manifest)
    assert find_bundle(home, name) is None
    with BundleDraft(home, manifest, name) as draft:
        draft.fill((project.folder, collect_source(project.folder, "server.py").files))
        assert find_bundle(home, name) is None
        bundle = draft.finish(FOUND)
    found = find_bundle(home, name)
    assert found is not None
    assert (found.path, found.manifest["contract"]) == (bundle.path, FOUND.contract)
    assert (bundle.path / "app/server.py").read_text() == "import json\n"
    assert [path.name for path in home.bundles.iterdir()] == [name]


def test_a_draft_that_fails_leaves_nothing(project: Project, tmp_path: Path) -> None:
    home, manifest = Home(tmp_path / "home"), manifest_of(project)
    with pytest.raises(KeyboardInterrupt), BundleDraft(home, manifest, "3" * 32) as draft:
        draft.fill((project.folder, collect_source(project.folder, "server.py").files))
        raise KeyboardInterrupt
    assert list(home.bundles.iterdir()) == []


def test_the_second_of_two_builders_takes_the_first_ones(project: Project, tmp_path: Path) -> None:
    home, manifest = Home(tmp_path / "home"), manifest_of(project)
    name = bundle_hash(manifest)
    files = collect_source(project.folder, "server.py").files
    with BundleDraft(home, manifest, name) as first, BundleDraft(home, manifest, name) as second:
        for draft in (first, second):
            draft.fill((project.folder, files))
        assert first.finish(FOUND).path == second.finish(FOUND).path
    assert [path.name for path in home.bundles.iterdir()] == [name]


CHANGES: dict[str, Callable[[Path], object]] = {
    "manifest": lambda bundle: _change_manifest(bundle / "manifest.json"),
    "not JSON": lambda bundle: (bundle / "manifest.json").write_text("["),
    "not an object": lambda bundle: (bundle / "manifest.json").write_text("[]"),
    "file": lambda bundle: (bundle / "app/server.py").write_text("import os\n"),
    "link": lambda bundle: _replace(bundle / "app/server.py", lambda path: path.symlink_to("/etc/passwd")),
    "pipe": lambda bundle: _replace(bundle / "app/server.py", os.mkfifo),
    "more": lambda bundle: (bundle / "app/json.py").write_text(""),
    "less": lambda bundle: (bundle / "app/server.py").unlink(),
}


def _change_manifest(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"interpreter": {"path": "/bin/other"}}))


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


@pytest.mark.parametrize("change", CHANGES)
def test_a_bundle_that_was_changed_is_built_again(project: Project, tmp_path: Path, change: str) -> None:
    home, manifest = Home(tmp_path / "home"), manifest_of(project)
    name = bundle_hash(manifest)
    files = collect_source(project.folder, "server.py").files
    for _ in range(2):
        with BundleDraft(home, manifest, name) as draft:
            draft.fill((project.folder, files))
            bundle = draft.finish(FOUND)
        (bundle.path / "app" / "__pycache__").mkdir()
        assert find_bundle(home, name) is not None
        assert read_manifest(bundle.path)["interpreter"]["path"] == "/python"
        CHANGES[change](bundle.path)
        assert find_bundle(home, name) is None


@pytest.mark.parametrize("change", ["manifest", "not JSON", "not an object"])
def test_a_manifest_that_was_changed_is_not_believed(project: Project, tmp_path: Path, change: str) -> None:
    home, manifest = Home(tmp_path / "home"), manifest_of(project)
    with BundleDraft(home, manifest, bundle_hash(manifest)) as draft:
        draft.fill((project.folder, collect_source(project.folder, "server.py").files))
        bundle = draft.finish(FOUND)
    CHANGES[change](bundle.path)
    with pytest.raises(BuildError, match="has been changed"):
        read_manifest(bundle.path)


def test_an_inspection_is_read(tmp_path: Path) -> None:
    answer: Inspected = {
        "kind": "fastmcp", "object": "mcp", "chosen": FOUND.chosen, "contract": dict(FOUND.contract or {}),
        "modules": ["json"], "packages": [{"package": "json", "seconds": 0.1}], "seconds": 0.2, "discovery": None,
        "libraries": {"untried": [], "gaps": []},
    }  # fmt: skip
    assert inspect_draft(tmp_path, lambda _draft: answer) == FOUND
