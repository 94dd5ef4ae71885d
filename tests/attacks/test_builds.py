"""Tests code that runs while a project is built, of a package in it (setup.py), and what it could leave for others."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import homeport_runtime
import platform_cli
from homeport_runtime.hosts.confinement import can_hide
from platform_cli.temporary import is_abandoned, temporary_folder

from ..e2e.probing import call
from ..support import SERVERS, Platform, require, with_packages

pytestmark = pytest.mark.whole

SETUP = """
import glob, os, socket
from setuptools import setup

said = []


def attempt(what, work):
    try:
        said.append(f"{what}: {work()!r}")
    except OSError as error:
        said.append(f"{what} refused: {error.strerror}")


def ask():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(HOME + "/platform.sock")
    return "connected"


def poison():
    changed = glob.glob(CACHE + "/archive-v0/*/mcp_types/__init__.py")
    for path in changed:
        with open(path, "a") as file:
            file.write("raise SystemExit('poisoned')")
    return changed


for name in ("secrets.key", "store.db", "secrets.db"):
    attempt(name, lambda: open(os.path.join(HOME, name), "rb").read(8))
attempt("socket", ask)
attempt("cache", poison)
for module in OWN_CODE:
    attempt(module, lambda: open(module, "a").close())
attempt("neighbours", lambda: glob.glob(HOME + "/projects/*/files/*"))
attempt("home", lambda: sorted(set(os.listdir(HOME)) - {"tmp", "layers", "cache", "home"}))
attempt("shadow", lambda: open("/etc/shadow").read(1))
attempt("cron", lambda: open("/etc/cron.d/homeport-test", "a").close() or os.unlink("/etc/cron.d/homeport-test"))
attempt("keys", lambda: [name for name in os.environ if name.startswith("HOMEPORT_")])
os.makedirs("helper", exist_ok=True)
open("helper/__init__.py", "w").write(f"SAID = {said!r}")
setup(name="helper", version="1", packages=["helper"])
"""
# Code that the platform runs with its own rights.
OWN_CODE = [platform_cli.__file__, homeport_runtime.__file__, os.__file__, click.__file__]


ISOLATION = ["namespaces", *(["users"] if os.getuid() == 0 else [])]


@pytest.fixture(scope="module", params=ISOLATION)
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("builds")
    platform = Platform(with_packages(folder / "home"))
    # The keyring and the cache of whoever runs the tests are left alone.
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    platform.environment["UV_CACHE_DIR"] = str(folder / "uv")
    platform.run("platform", "start", "--isolate", request.param)
    yield platform
    platform.stop()


def server(folder: Path) -> Path:
    shutil.copytree(SERVERS / "mcp2_lowlevel", folder)
    return folder


def with_helper(folder: Path, home: Path, cache: Path) -> Path:
    """Writes a server that needs a package of its own, and tells what that package saw while it was built."""
    server(folder)
    helper = folder / "helper"
    helper.mkdir()
    (helper / "setup.py").write_text(f"HOME, CACHE, OWN_CODE = {str(home)!r}, {str(cache)!r}, {OWN_CODE!r}\n{SETUP}")
    with (folder / "requirements.txt").open("a") as file:
        file.write("./helper\n")
    with (folder / "server.py").open("a") as file:
        file.write("\n")
    source = (folder / "server.py").read_text()
    (folder / "server.py").write_text(f"import os, helper\nopen('said.txt', 'w').write(repr(helper.SAID))\n{source}")
    return folder


def test_setup_py_sees_nothing_of_the_platform(platform: Platform, tmp_path: Path) -> None:
    home = platform.home
    require(can_hide(home), "a system that lets processes have mount namespaces")
    platform.run("set-secret", "PASSWORD", "hunter2hunter2", "--project", "victim")
    victim = server(tmp_path / "victim")
    (victim / "requirements.txt").write_text("mcp>=2\nsix==1.17.0\n")
    platform.deploy(victim, name="victim")
    cache = Path(platform.environment["UV_CACHE_DIR"])
    assert list(cache.glob("archive-v0/*/mcp_types/__init__.py")), "there is something to change"
    url = platform.deploy(with_helper(tmp_path / "evil", home, cache), name="evil").url
    assert call(url, "add", a=1, b=2) == "3"
    said = (home / "projects" / "evil" / "files" / "said.txt").read_text()
    for name in ("secrets.key", "store.db", "secrets.db", "socket"):
        assert f"{name} refused" in said, said
    for module in OWN_CODE:
        assert f"{module} refused" in said, said
    for nothing in ("cache", "neighbours", "home", "keys"):
        assert f"{nothing}: []" in said, said
    if platform.run("platform", "status")["isolate"] == "users":
        for name in ("shadow", "cron"):
            assert f"{name} refused" in said, said
        left = {path.lstat().st_uid for folder in ("layers", "cache", "tmp") for path in (home / folder).rglob("*")}
        assert left == {0}, "what was built is root's, and no other build may change it"
    for layer in (home / "layers").glob("*/mcp_types/__init__.py"):
        assert "poisoned" not in layer.read_text()


def test_packages_share_no_content_with_uvs_cache(platform: Platform, tmp_path: Path) -> None:
    folder = server(tmp_path / "project")
    (folder / "requirements.txt").write_text("mcp>=2\nsix==1.16.0\n")
    url = platform.deploy(folder, name="shared").url
    for file in Path(platform.environment["UV_CACHE_DIR"]).glob("archive-v0/*/six.py"):
        file.write_text("raise SystemExit('poisoned')")
    (layer,) = (path.parent for path in (platform.home / "layers").glob("*/six-1.16.0.dist-info"))
    assert "poisoned" not in (layer / "six.py").read_text()
    assert call(url, "add", a=1, b=2) == "3"
    # The next layer does not take it over either.
    (folder / "requirements.txt").write_text("mcp>=2\nsix==1.16.0\ntoml==0.10.2\n")
    url = platform.deploy(folder, name="shared").url
    assert call(url, "add", a=1, b=2) == "3"
    layers = [path.parent for path in (platform.home / "layers").glob("*/six-1.16.0.dist-info")]
    assert len(layers) == 2
    assert not [layer for layer in layers if "poisoned" in (layer / "six.py").read_text()]


def test_temporary_folders_are_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_HOME", str(tmp_path / "home"))
    with temporary_folder("build") as folder:
        assert folder.is_relative_to(tmp_path / "home" / "tmp")
        assert folder.stat().st_mode & 0o77 == 0
        os.utime(folder, (time.time() - 3600,) * 2)
        assert not is_abandoned(folder), "whoever made it lives"
    assert not folder.exists()
    folder.mkdir()
    assert not is_abandoned(folder), "whoever made it may not have locked it yet"
    os.utime(folder, (time.time() - 3600,) * 2)
    assert is_abandoned(folder)
