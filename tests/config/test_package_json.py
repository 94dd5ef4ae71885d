from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from platform_cli.config.package_json import NodeProgram, package_program
from platform_cli.errors import SourceError

SDK = {"dependencies": {"@modelcontextprotocol/sdk": "1"}}


def program(folder: Path, package: dict[str, Any], *files: str) -> NodeProgram | None:
    (folder / "package.json").write_text(json.dumps(package))
    for file in files:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).touch()
    return package_program(folder)


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ({"bin": "dist/index.js"}, ("node", "dist/index.js")),
        ({"bin": {"x": "./dist/index.js"}}, ("node", "dist/index.js")),
        ({"name": "@a/x", "bin": {"x": "dist/index.js", "y": "y.js"}}, ("node", "dist/index.js")),
        ({"bin": {"x-mcp": "dist/index.js", "y": "y.js"}}, ("node", "dist/index.js")),
        ({"main": "dist/index.js"}, ("node", "dist/index.js")),
        ({"main": "gone.js", "scripts": {"start": "node dist/index.js --x"}}, ("node", "dist/index.js", "--x")),
        ({"scripts": {"start": "tsx src/index.ts"}}, ("npm", "run", "--silent", "start")),
        ({"main": "built.js", "scripts": {"build": "tsc"}}, ("node", "built.js")),
        ({"main": "built.js", "scripts": {"build": "tsc", "start": "tsx src/index.ts"}}, ("node", "built.js")),
        ({"main": "index.js", "scripts": {"build": "tsc", "start": "node out/i.js"}}, ("node", "out/i.js")),
        ({"bin": "built.js", "main": "dist/index.js", "scripts": {"build": "tsc"}}, ("node", "built.js")),
    ],
)
def test_what_a_package_runs(tmp_path: Path, package: dict[str, Any], command: tuple[str, ...]) -> None:
    found = program(tmp_path, {**SDK, **package}, "dist/index.js")
    assert found is not None
    assert found.command == command


@pytest.mark.parametrize(
    ("package", "files", "command"),
    [
        ({"bin": "i.js"}, {"i.js": "#!/usr/bin/env bun\nx"}, ("bun", "i.js")),
        ({"bin": "i.js"}, {"i.js": "// @bun\nx"}, ("bun", "i.js")),
        ({"bin": "i.js"}, {"i.js": "#!/usr/bin/env node\n// no bun"}, ("node", "i.js")),
        ({"main": "i.js", "scripts": {"build": "bun build s.ts --target bun"}}, {}, ("bun", "i.js")),
        ({"main": "i.js", "scripts": {"build": "bun build s.ts --target node"}}, {}, ("node", "i.js")),
        ({"module": "i.ts"}, {"i.ts": "", "bun.lock": ""}, ("bun", "i.ts")),
        ({"main": "gone.js", "module": "i.mjs"}, {"i.mjs": ""}, ("node", "i.mjs")),
    ],
)
def test_what_is_for_bun_runs_on_it(
    tmp_path: Path, package: dict[str, Any], files: dict[str, str], command: tuple[str, ...]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    found = program(tmp_path, {**SDK, **package})
    assert found is not None
    assert found.command == command


@pytest.mark.parametrize("package", [{"main": "dist/index.js"}, {**SDK, "main": "gone.js"}, SDK, {**SDK, "bin": 1}])
def test_what_runs_nothing_of_mcp(tmp_path: Path, package: dict[str, Any]) -> None:
    assert program(tmp_path, package, "dist/index.js") is None


def test_several_programs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="several programs could be the server: a, b") as caught:
        program(tmp_path, {**SDK, "bin": {"a": "a.js", "b": "b.js"}})
    assert 'command = "node b.js"' in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_what_is_no_package(tmp_path: Path, text: str) -> None:
    (tmp_path / "package.json").write_text(text)
    assert package_program(tmp_path) is None
