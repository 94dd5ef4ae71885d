"""Tests a process that hides a folder from itself, as root and as a user without privileges."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...support import ROOT, require
from ..workers import MCP2, Workers

NOBODY = 65534
PROGRAM = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from homeport_runtime.hosts.confinement import Room, can_hide, enter

home = Path(sys.argv[2])
if not can_hide(home):
    sys.exit("impossible")
enter(Room((home,), writable=(home / "own",), read_only=(home / "layer", Path("/usr"))))
print(os.getuid(), sorted(str(path.relative_to(home)) for path in home.rglob("*")))
(home / "own" / "new").write_text("new")
for path in (home / "new", home / "layer" / "new"):
    try:
        path.write_text("")
    except OSError as error:
        print(error.strerror)
if os.getuid() != 0:
    children = 0
    try:
        while children < 3000:
            if os.fork() == 0:
                signal.pause()
            children += 1
    except BlockingIOError:
        print("no more processes", file=sys.stderr)
sys.stdout.flush()
os.execlp("umount", "umount", str(home))
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """Returns a home to which a user without privileges has access."""
    folder = Path(tempfile.mkdtemp(prefix="homeport-hidden-"))
    for name in ("own", "layer", "other"):
        (folder / name).mkdir()
        (folder / name / "file").touch()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("user", [os.getuid(), NOBODY])
def test_only_what_is_shown_is_seen(home: Path, user: int) -> None:
    options: dict[str, object] = {}
    if user != os.getuid():
        require(os.getuid() == 0, "root, to become another user")
        for path in (home, *home.rglob("*")):
            os.chown(path, user, user)
        options = {"user": user, "group": user, "extra_groups": []}
    shutil.copytree(ROOT / "runtime", home / "other" / "runtime")
    python = shutil.which("python3", path="/usr/bin:/bin") if options else sys.executable
    require(python is not None, "a Python that everybody may run")
    done = subprocess.run(
        [str(python), "-I", "-c", PROGRAM, str(home / "other" / "runtime"), str(home)],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        **options,  # type: ignore[call-overload]
    )
    require(done.stderr != "impossible\n", "a system that lets processes have mount namespaces")
    seen = "['layer', 'layer/file', 'own', 'own/file']"
    assert done.stdout == f"{user} {seen}\nRead-only file system\nRead-only file system\n", done.stderr
    assert done.returncode != 0, "it could be undone"
    assert "umount" in done.stderr
    assert ("no more processes" in done.stderr) == (user != 0)
    # Nothing of it happened outside.
    assert sorted(path.name for path in home.iterdir()) == ["layer", "other", "own"]
    assert (home / "own" / "new").read_text() == "new"


def test_a_server_that_nothing_can_be_hidden_from_does_not_start(workers: Workers, tmp_path: Path) -> None:
    require(sys.platform == "linux", "Linux")
    answer = workers.start(f"{MCP2}print('ran')\n", hidden=[str(tmp_path / "none")]).expect("failed")
    assert "cannot be hidden from the server" in answer["message"]
    assert "doctor" in answer["hint"]
