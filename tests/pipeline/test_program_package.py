"""Tests which files of a layer become files of the app, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.project import Program, Project
from platform_cli.errors import InspectError
from platform_cli.pipeline.model import Layer, SourceFile
from platform_cli.pipeline.program_package import (
    may_write_beside_itself,
    program_name,
    program_package,
    remember,
    writes_beside_itself,
    writing_program,
)

HASH = "ab" * 32
PROGRAM = Program("tools.clock.server", "main", "clock")


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    path = tmp_path / "layers" / HASH
    files = {
        "tools/clock/server.py": "one",
        "tools/clock/zones.json": "two",
        "tools/other/__init__.py": "three",
        "bin/clock": "four",
        "clock-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: clock\nVersion: 1\n",
        "clock-1.dist-info/RECORD": "tools/clock/server.py,,\ntools/clock/zones.json,,\nbin/clock,,\n../../bin/x,,\n"
        "tools/../../../outside,,\n/etc/hostname,,\ntools/clock/gone.py,,\ntools/clock/link,,\n"
        "clock-1.dist-info/METADATA,,\ntools/clock/__pycache__/server.pyc,,\n",
        "other-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: other\nVersion: 1\n",
        "other-1.dist-info/RECORD": "tools/other/__init__.py,,\n",
    }
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    (tmp_path / "outside").write_text("not of the package")
    (path / "tools/clock/link").symlink_to(tmp_path / "outside")
    return Layer(path, HASH)


def test_the_package_of_a_program_is_taken_and_nothing_else(layer: Layer) -> None:
    package = program_package(PROGRAM, layer)
    assert [file.path for file in package.files] == ["tools/clock/server.py", "tools/clock/zones.json"]
    assert (package.roots, package.folder) == (("",), layer.path)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            f"clock raised OSError: [Errno 30] Read-only file system: '/h/layers/{HASH}/tools/logs' before it served",
            True,
        ),
        (f"clock raised PermissionError: [Errno 13] Permission denied: '/h/layers/{HASH}/x.db'", True),
        ("clock raised OSError: [Errno 30] Read-only file system: '/usr/lib/x'", False),
        (f"it ended: Error: EROFS: read-only file system, mkdir '/h/layers/{HASH}/node_modules/x/logs'", True),
        (f"it ended: Error: EACCES: permission denied, open '/h/layers/{HASH}/node_modules/x/memory.json'", True),
        ("it ended: Error: EACCES: permission denied, open '/etc/shadow'", False),
        (f"it ended: Error: ENOENT: no such file or directory, open '/h/layers/{HASH}/node_modules/x/a'", False),
        (f"clock raised FileNotFoundError: [Errno 2] No such file or directory: '/h/layers/{HASH}/x'", False),
    ],
)
def test_only_what_may_not_be_written_in_the_layer_counts(layer: Layer, message: str, *, expected: bool) -> None:
    assert writes_beside_itself(InspectError(message), layer) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('HERE = Path(__file__)\n(HERE.parent / "logs").mkdir()', True),
        ('db = sqlite3.connect(os.path.dirname(__file__) + "/x.db")', True),
        ('open(os.path.join(os.path.dirname(__file__), "x"), "w")', True),
        ('(Path(__file__).parent / "x").open("a")', True),
        ('open(os.path.join(os.path.dirname(__file__), "words.txt"), "rb")', False),
        ('(Path.home() / ".clock").mkdir()', False),
    ],
)
def test_code_that_writes_and_knows_where_it_is_may_write_there(layer: Layer, code: str, *, expected: bool) -> None:
    (layer.path / "tools/clock/server.py").write_text(code)
    assert may_write_beside_itself(program_package(PROGRAM, layer)) is expected


def test_a_program_is_remembered_for_its_layer(layer: Layer, tmp_path: Path) -> None:
    project = Project(tmp_path, None, program=PROGRAM)
    name = program_name(project, [])
    assert name == PROGRAM.module
    assert program_name(project, [SourceFile("server.py", "", executable=False)]) is None
    assert writing_program(project, name, layer, tmp_path) is None
    remember(name, layer, tmp_path)
    found = writing_program(project, name, layer, tmp_path)
    assert found
    assert (found.project, found.package) == (project, program_package(PROGRAM, layer))
    other = tmp_path / "other"
    layer.path.rename(other)
    assert writing_program(project, name, Layer(other, "cd" * 32), tmp_path) is None


SERVER = "@a/notes/dist/index.js"
WRITES = 'fs.writeFile(path.join(path.dirname(fileURLToPath(import.meta.url)), "notes.json"), text)'


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (WRITES, True),
        ('fs.mkdirSync(path.join(__dirname, "logs"))', True),
        ('new Database(path.join(__dirname, "notes.db"))', True),
        ('fs.readFileSync(path.join(__dirname, "words.txt"))', False),
        ('fs.writeFileSync(path.join(os.homedir(), "notes.json"), text)', False),
    ],
)
def test_a_package_of_npm_that_writes_is_run_from_the_app(tmp_path: Path, code: str, *, expected: bool) -> None:
    files = {
        SERVER: code,
        "@a/notes/node_modules/own/index.js": WRITES,
        "@a/notes/node_modules/.bin/own": "",
        "other/index.js": WRITES,
    }
    for name, text in files.items():
        (tmp_path / "node_modules" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "node_modules" / name).write_text(text)
    project = Project(tmp_path, None, command=("node", f"node_modules/{SERVER}", "--fast"))
    package = program_name(project, [SourceFile("package.json", "", executable=False)])
    assert package == "@a/notes"
    found = writing_program(project, package, Layer(tmp_path, HASH), tmp_path)
    assert (found is not None) is expected
    if found:
        assert found.project.command == ("node", SERVER, "--fast")
        assert [file.path for file in found.package.files] == [SERVER, "@a/notes/node_modules/own/index.js"]


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (("node", "index.js"), "package.json"),
        (("npx", "-y", "notes"), "package.json"),
        (("node", "node_modules/../../x.js"), "package.json"),
        (("node", "node_modules/notes/index.js"), "notes/index.js"),
    ],
)
def test_what_is_not_installed_or_has_no_room_in_the_app_stays_where_it_is(
    tmp_path: Path, command: tuple[str, ...], path: str
) -> None:
    project = Project(tmp_path, None, command=command)
    assert program_name(project, [SourceFile(path, "", executable=False)]) is None
