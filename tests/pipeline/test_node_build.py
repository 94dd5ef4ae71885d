"""Tests what the build scripts of a project of Node make of it, alone and in a workspace."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homeport_runtime.hosts.confinement import can_hide
from platform_cli.config.load import load_project
from platform_cli.errors import BuildError
from platform_cli.pipeline.node_build import build_app
from platform_cli.pipeline.source import collect_source, copy_source
from tests.support import require

from .test_node import PACKAGE, installed, project


@pytest.fixture(autouse=True)
def npm() -> None:
    require(shutil.which("npm"), "npm is not installed")


def test_what_is_not_there_is_built(tmp_path: Path) -> None:
    write = "require('fs').mkdirSync('dist'); require('fs').writeFileSync('dist/i.js', String(require('is-number')(1)))"
    made = project(tmp_path / "project", {**PACKAGE, "scripts": {"build": f'node -e "{write}"'}}, "node", "./dist/i.js")
    (made.folder / ".gitignore").write_text("dist\n")
    layer = installed(made, tmp_path)
    files = collect_source(made.folder, None).files
    built = build_app(made, layer.path, files, tmp_path / "cache")
    assert built is not None
    assert {file.path for file in collect_source(built.folder, None).files} == {"package.json", "dist/i.js"}
    assert (built.folder / "dist/i.js").read_text() == "true"
    assert not (made.folder / "dist").exists()
    assert build_app(made, layer.path, files, tmp_path / "cache") == built
    assert build_app(replace(made, command=("node", "package.json")), layer.path, files, tmp_path / "cache") is None


def test_the_only_new_file_of_its_name_is_the_program(tmp_path: Path) -> None:
    """It is what npm's `main` of a new package means, which says index.js."""
    scripts = {"build": "mkdir -p dist other && touch dist/index.js other/util.js"}
    made = project(tmp_path / "project", {"scripts": scripts}, "node", "index.js", "--x")
    files = collect_source(made.folder, None).files
    built = build_app(made, tmp_path / "layer", files, tmp_path / "cache")
    assert built is not None
    assert built.command == ("node", "dist/index.js", "--x")


@pytest.mark.parametrize(
    "taken", ['import "../dist/index.js";', "require('../dist')", 'await import("../dist/index.js")']
)
def test_what_starts_the_program_is_not_the_program(tmp_path: Path, taken: str) -> None:
    scripts = {"build": "mkdir dist && echo > dist/index.js"}
    made = project(tmp_path / "project", {"scripts": scripts}, "node", "bin/run.js")
    (made.folder / "bin").mkdir()
    (made.folder / "bin/run.js").write_text(taken)
    files = collect_source(made.folder, None).files
    built = build_app(made, tmp_path / "layer", files, tmp_path / "cache")
    assert built is not None
    assert built.command == ("node", "bin/run.js")
    assert (built.folder / "dist/index.js").exists()
    (made.folder / "dist").mkdir()
    (made.folder / "dist/index.js").touch()
    files = collect_source(made.folder, None).files
    assert build_app(made, tmp_path / "layer", files, tmp_path / "cache") is None, "it came with the project"


def test_a_program_in_typescript_is_whole(tmp_path: Path) -> None:
    """What it imports is a file with another ending."""
    made = project(tmp_path / "project", {"scripts": {"build": "exit 1"}}, "bun", "index.ts")
    (made.folder / "index.ts").write_text('import "./other";')
    (made.folder / "other.ts").touch()
    assert build_app(made, tmp_path / "layer", collect_source(made.folder, None).files, tmp_path / "cache") is None


def test_the_start_script_runs_in_place_of_a_program_that_lacks_a_file_after_the_build(tmp_path: Path) -> None:
    scripts = {"build": "mkdir -p dist && touch dist/i.cjs", "start": "node dist/i.cjs"}
    made = project(tmp_path / "project", {"scripts": scripts}, "node", "bin/i.js")
    (made.folder / "bin").mkdir()
    (made.folder / "bin/i.js").write_text('import "../dist/i.js";')
    built = build_app(made, tmp_path / "layer", collect_source(made.folder, None).files, tmp_path / "cache")
    assert built is not None
    assert built.command == ("node", "dist/i.cjs")


WRITING = """
const fs = require("fs"), said = {};
for (const folder of JSON.parse(process.argv[2]).concat(process.env.npm_config_cache)) {
  try {
    fs.writeFileSync(folder + "/written", "");
    said[folder] = "written";
  } catch (error) {
    said[folder] = error.code;
  }
}
fs.mkdirSync("dist");
fs.writeFileSync("dist/i.js", JSON.stringify(Object.values(said)));
"""


def test_a_build_script_writes_to_no_cache_but_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote into the ones of npm and uv would be installed for others."""
    home, shared = tmp_path / "home", [tmp_path / "npm", tmp_path / "uv"]
    for folder in (home, *shared):
        folder.mkdir()
    require(can_hide(home), "a system that lets processes have mount namespaces")
    for name, path in (("HOMEPORT_HOME", home), ("npm_config_cache", shared[0]), ("UV_CACHE_DIR", shared[1])):
        monkeypatch.setenv(name, str(path))
    words = json.dumps(json.dumps(list(map(str, shared))))
    made = project(tmp_path / "project", {"scripts": {"build": f"node write.js {words}"}}, "node", "./dist/i.js")
    (made.folder / "write.js").write_text(WRITING)
    built = build_app(made, installed(made, home).path, collect_source(made.folder, None).files, home / "cache")
    assert built is not None
    assert json.loads((built.folder / "dist/i.js").read_text()) == ["EROFS", "EROFS", "written"]


def test_a_build_that_fails_says_why(tmp_path: Path) -> None:
    failing = {"scripts": {"build": "node -e \"console.log('no such type'); process.exit(2)\""}}
    made = project(tmp_path / "project", failing, "node", "dist/i.js")
    with pytest.raises(BuildError, match="`npm run build` failed:\nno such type"):
        build_app(made, tmp_path / "layer", collect_source(made.folder, None).files, tmp_path / "cache")
    assert list((tmp_path / "cache/node").iterdir()) == []
    idle = project(tmp_path / "project", {"scripts": {"build": "node -e 1"}}, "node", "dist/i.js")
    with pytest.raises(BuildError, match=r"`npm run build` did not make dist/i\.js"):
        build_app(idle, tmp_path / "layer", collect_source(idle.folder, None).files, tmp_path / "cache")


def _package(name: str, *needs: str, asked: str, writes: str = "", after: str = "true") -> str:
    """Returns a package.json whose build script, which `after` has to let, writes `writes` into dist/index.js."""
    build = f"{after} && mkdir -p dist && printf '%s' {json.dumps(writes)} > dist/index.js"
    own: Mapping[str, Any] = {"main": "dist/index.js", "scripts": {"build": build}} if writes else {}
    return json.dumps({"name": name, "dependencies": dict.fromkeys(needs, asked), **own})


@pytest.mark.parametrize("kind", ["npm", "pnpm"])
def test_a_package_of_a_workspace_comes_with_those_that_it_needs(tmp_path: Path, kind: str) -> None:
    """They are built in their order, and what they need of a registry is in the layer, as their lock has it."""
    asked = "workspace:*" if kind == "pnpm" else "^1.0.0"
    middle = "exports.found = [require('is-number')(1), require('@own/last').found]"
    shared = json.loads(
        _package("@own/shared", "@own/last", asked=asked, writes=middle, after="test -f ../zlast/dist/index.js")
    )
    shared["dependencies"]["is-number"] = ">=6"
    files = {
        "package.json": json.dumps({"workspaces": ["packages/*"]} if kind == "npm" else {}),
        "packages/a/package.json": _package(
            "notes-mcp", "@own/shared", asked=asked, writes="console.log(require('@own/shared').found.join())"
        ),
        "packages/shared/package.json": json.dumps(shared),
        "packages/zlast/package.json": _package("@own/last", asked=asked, writes="exports.found = 'found'"),
        "packages/aside/package.json": _package("aside", "no-such-package-of-npm", asked="99.9.9"),
        ".gitignore": "dist\n",
    }
    if kind == "pnpm":
        files["pnpm-workspace.yaml"] = "packages:\n  - packages/*\n"
        files["pnpm-lock.yaml"] = "packages:\n\n  is-number@6.0.0:\n    resolution: {}\n"
    else:
        files["package-lock.json"] = json.dumps({"packages": {"node_modules/is-number": {"version": "6.0.0"}}})
    for name, text in files.items():
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_text(text)
    made = load_project(tmp_path / "own/packages/a")
    assert (made.folder, made.command) == ((tmp_path / "own").resolve(), ("node", "packages/a/dist/index.js"))
    layer = installed(made, tmp_path)
    assert json.loads((layer.path / "node_modules/is-number/package.json").read_text())["version"] == "6.0.0"
    built = build_app(made, layer.path, collect_source(made.folder, None).files, tmp_path / "cache")
    assert built is not None
    # What is deployed are the files that are collected of it.
    app = tmp_path / "app"
    copy_source(built.folder, collect_source(built.folder, None, built.include).files, app)
    (app / "node_modules").symlink_to(layer.path / "node_modules")
    ran = subprocess.run(["node", "packages/a/dist/index.js"], cwd=app, capture_output=True, text=True, check=True)
    assert ran.stdout == "true,found\n"


def test_a_package_that_needs_none_beside_it_is_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "package.json").write_text(json.dumps({"workspaces": ["*"]}))
    (tmp_path / "a/package.json").write_text(_package("notes-mcp", "is-number", asked="7.0.0", writes="1"))
    made = load_project(tmp_path / "a")
    assert (made.folder, made.command) == ((tmp_path / "a").resolve(), ("node", "dist/index.js"))
