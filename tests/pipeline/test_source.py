"""Tests the app part of a bundle."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from platform_cli.errors import SourceError
from platform_cli.pipeline import source as module
from platform_cli.pipeline.model import SourceFile
from platform_cli.pipeline.source import collect_source, copy_source
from tests.project_files.test_imports import write


def paths(folder: Path, entrypoint: str | None = "server.py") -> list[str]:
    return [file.path for file in collect_source(folder, entrypoint).files]


def test_files_are_sorted_hashed_and_know_whether_they_can_be_run(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "x", "b/run.sh": "#!/bin/sh", "a.txt": "", ".env.example": "K="})
    (tmp_path / "b/run.sh").chmod(0o700)
    assert collect_source(tmp_path, "server.py").files == (
        SourceFile(".env.example", hashlib.sha256(b"K=").hexdigest(), executable=False),
        SourceFile("a.txt", hashlib.sha256(b"").hexdigest(), executable=False),
        SourceFile("b/run.sh", hashlib.sha256(b"#!/bin/sh").hexdigest(), executable=True),
        SourceFile("server.py", hashlib.sha256(b"x").hexdigest(), executable=False),
    )


def test_what_is_never_taken(tmp_path: Path) -> None:
    never = [
        ".git/config",
        ".hg/x",
        ".svn/x",
        ".env",
        ".env.local",
        "sub/.env",
        "my venv/pyvenv.cfg",
        "my venv/lib/x.py",
        "node_modules/x.js",
        "__pycache__/x.pyc",
        "x.pyc",
        ".mypy_cache/x",
        ".pytest_cache/x",
        ".ruff_cache/x",
        ".tox/x",
        ".DS_Store",
    ]
    write(tmp_path, dict.fromkeys([*never, "server.py"], "") | {".homeportignore": "!.env\n!.git\n"})
    (tmp_path / "config").symlink_to(".env")
    (tmp_path / "repository").symlink_to(".git")
    assert paths(tmp_path) == [".homeportignore", "server.py"]


@pytest.mark.parametrize(
    ("ignore", "taken"),
    [
        ({".gitignore": "*.log\n/data/\n"}, {"server.py", "sub/data/d", "sub/keep.txt"}),
        ({".gitignore": "*.log\n!sub/a.log\n"}, {"server.py", "data/d", "sub/a.log", "sub/data/d", "sub/keep.txt"}),
        (
            {".gitignore": "*.log", "sub/.gitignore": "!a.log\nkeep.txt\n"},
            {"server.py", "data/d", "sub/a.log", "sub/data/d"},
        ),
        ({".homeportignore": "data\n*.log\n"}, {"server.py", "sub/keep.txt"}),
        ({".gitignore": "data/\n*.log", ".homeportignore": "!/data/\n"}, {"server.py", "data/d", "sub/keep.txt"}),
        ({"sub/.homeportignore": "*"}, {"server.py", "a.log", "data/d", "sub/a.log", "sub/data/d", "sub/keep.txt"}),
        ({".gitignore": "sub\n", "sub/.gitignore": "!keep.txt"}, {"server.py", "a.log", "data/d"}),
    ],
)
def test_ignore_files(ignore: dict[str, str], taken: set[str], tmp_path: Path) -> None:
    files = ["server.py", "a.log", "data/d", "sub/a.log", "sub/data/d", "sub/keep.txt"]
    write(tmp_path, dict.fromkeys(files, "") | ignore)
    assert {path for path in paths(tmp_path) if "ignore" not in path} == taken


@pytest.mark.parametrize(
    ("files", "entrypoint", "message"),
    [
        ({".gitignore": "# ours\n\n*.py\n"}, "server.py", r"is ignored by the rule `\*.py` \(.gitignore, line 3\)"),
        ({"app/.gitignore": "main.py"}, "app/main.py", r"the rule `main.py` \(app/.gitignore, line 1\)"),
        ({".homeportignore": "app/"}, "app/main.py", r"the rule `app/` \(.homeportignore, line 1\)"),
        ({"app/pyvenv.cfg": ""}, "app/main.py", "never deployed"),
        ({}, "absent.py", "absent.py does not exist"),
    ],
)
def test_an_entry_point_that_would_not_be_there(
    files: dict[str, str], entrypoint: str, message: str, tmp_path: Path
) -> None:
    write(tmp_path, {"server.py": "", "app/main.py": "", **files})
    with pytest.raises(SourceError, match=message):
        collect_source(tmp_path, entrypoint)


def test_symlinks_within_the_folder_become_files(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": "", "lib/a.py": "a", "shared/b.txt": "b"})
    (tmp_path / "link.py").symlink_to("lib/a.py")
    (tmp_path / "lib/shared").symlink_to("../shared")
    (tmp_path / "shared/loop").symlink_to("..")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "itself").symlink_to("itself")
    files = collect_source(tmp_path, "server.py").files
    assert [file.path for file in files] == ["lib/a.py", "lib/shared/b.txt", "link.py", "server.py", "shared/b.txt"]
    copy_source(tmp_path, files, tmp_path.parent / "copy")
    assert not (tmp_path.parent / "copy/link.py").is_symlink()
    assert (tmp_path.parent / "copy/lib/shared/b.txt").read_text() == "b"


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "/"])
def test_symlinks_that_leave_the_folder(target: str, tmp_path: Path) -> None:
    write(tmp_path, {"project/server.py": "", "outside/secret": ""})
    (tmp_path / "project/data").mkdir()
    (tmp_path / "project/data/link").symlink_to(target if target.startswith("/") else tmp_path / "outside")
    with pytest.raises(SourceError, match="data/link is a symlink that leaves the project folder: it points to /"):
        collect_source(tmp_path / "project", "server.py")
    (tmp_path / "project/.gitignore").write_text("link\n")
    assert paths(tmp_path / "project") == [".gitignore", "server.py"]


def test_sockets_and_pipes_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"server.py": ""})
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert paths(tmp_path) == ["server.py"]


@pytest.mark.parametrize(
    ("limit", "value", "message"), [("MAX_FILES", 6, "more than 6 files"), ("MAX_BYTES", 50, "0 MB, more")]
)
def test_too_much(limit: str, value: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, value)
    write(tmp_path, {"server.py": ""} | {f"data{n}.bin": "x" * n * 10 for n in range(7)})
    with pytest.raises(SourceError, match=message) as caught:
        collect_source(tmp_path, "server.py")
    assert caught.value.message.count(".bin") == 5
    assert ".homeportignore" in (caught.value.hint or "")


def test_a_home_folder_is_not_taken_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"server.py": "import helper", "helper.py": "", "letters.txt": "private", ".ssh/id_rsa": "private"})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths(tmp_path) == ["helper.py", "server.py"]
    assert paths(tmp_path, None) == []


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    write(tmp_path, {"server.py": ""})
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("")
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    with pytest.raises(SourceError, match=r"caf\\xe9.txt is not UTF-8"):
        collect_source(tmp_path, "server.py")


def test_a_copy_is_the_same_every_time(tmp_path: Path) -> None:
    write(tmp_path, {"p/server.py": "x", "p/bin/run": "y"})
    (tmp_path / "p/bin/run").chmod(0o711)
    copy_source(tmp_path / "p", collect_source(tmp_path / "p", "server.py").files, tmp_path / "copy")
    for name, mode in (("server.py", 0o100644), ("bin/run", 0o100755)):
        status = (tmp_path / "copy" / name).stat()
        assert (status.st_mode, status.st_mtime) == (mode, 315_532_800)


@pytest.mark.parametrize("change", ["content", "symlink", "folder symlink", "pipe", "removed"])
def test_a_file_that_changes_while_it_is_deployed(change: str, tmp_path: Path) -> None:
    write(tmp_path, {"p/server.py": "", "p/data/file": "same", "outside/file": "same"})
    files = collect_source(tmp_path / "p", "server.py").files
    file = tmp_path / "p/data/file"
    file.unlink()
    if change == "content":
        file.write_text("other")
    elif change == "symlink":
        file.symlink_to(tmp_path / "outside/file")
    elif change == "folder symlink":
        file.parent.rmdir()
        file.parent.symlink_to(tmp_path / "outside")
    elif change == "pipe":
        os.mkfifo(file)
    with pytest.raises(SourceError, match="data/file"):
        copy_source(tmp_path / "p", files, tmp_path / "copy")


INCLUDED = {
    ".gitignore": "data/\n*.bin\n",
    "server.py": "",
    "data/a/b.txt": "",
    "data/.env": "",
    "data/.git/config": "",
    "model.bin": "",
    "other.bin": "",
    "node_modules/m/index.js": "",
    "node_modules/m/node_modules/n/index.js": "",
    ".env": "",
    ".git/config": "",
}


@pytest.mark.parametrize(
    ("include", "more"),
    [
        ((), []),
        (("data",), ["data/a/b.txt"]),
        (("data/a/b.txt",), ["data/a/b.txt"]),
        (("model.bin", "data/a"), ["data/a/b.txt", "model.bin"]),
        ((".env", "data/.env"), [".env", "data/.env"]),
        (("node_modules",), ["node_modules/m/index.js", "node_modules/m/node_modules/n/index.js"]),
        ((".git",), []),
    ],
)
def test_what_is_included_comes_though_it_is_ignored(tmp_path: Path, include: tuple[str, ...], more: list[str]) -> None:
    write(tmp_path, INCLUDED)
    taken = [file.path for file in collect_source(tmp_path, "server.py", include).files]
    assert taken == sorted([".gitignore", "server.py", *more])


def test_what_is_included_has_to_be_there_and_within(tmp_path: Path) -> None:
    write(tmp_path, {"project/server.py": "", "project/.gitignore": "link", "secret.txt": ""})
    (tmp_path / "project/link").symlink_to("../secret.txt")
    with pytest.raises(SourceError, match="include names absent"):
        collect_source(tmp_path / "project", "server.py", ("absent",))
    with pytest.raises(SourceError, match="leaves the project folder"):
        collect_source(tmp_path / "project", "server.py", ("link",))


def test_folders_without_files_are_kept(tmp_path: Path) -> None:
    ignored = {".gitignore": "data/\n*.log\n", "data/x.db": "", "logs/server.log": "", "data/deep/y.db": ""}
    tools = {
        ".venv/pyvenv.cfg": "",
        "env/pyvenv.cfg": "",
        "node_modules/m/x.js": "",
        ".cache/x.log": "",
        "x.egg-info/x.log": "",
        "made/.gitignore": "*",
        "made/sub/x": "",
    }
    write(tmp_path, {"server.py": "", "pkg/__init__.py": "", **ignored, **tools})
    (tmp_path / "empty/inner").mkdir(parents=True)
    (tmp_path / "pkg/cache").mkdir()
    assert collect_source(tmp_path, "server.py").folders == ("data", "empty/inner", "logs", "pkg/cache")
