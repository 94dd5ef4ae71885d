"""Runs the product as a user without privileges, also where root runs the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ..command_line import Command
from ..support import ROOT, Platform, require, with_packages

NOBODY = 65534
# Another number than the user's, as on many machines.
GROUP = 65533


# Runs a command in a user namespace that may have no others within it, as on a system that does not allow them.
WITHOUT_NAMESPACES = (
    "unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c",
    'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all -- "$0" "$@"',
)  # fmt: skip


@contextmanager
def platform_of(user: int, wrapper: Sequence[str] = ()) -> Iterator[tuple[Platform, Path]]:
    """Runs a platform of that user, with the packages of the smallest server and a folder for projects, and ends it.

    Its commands are run by `wrapper`.
    """
    folder = Path(tempfile.mkdtemp(prefix="homeport-attacked-"))
    projects = folder / "projects"
    projects.mkdir()
    platform = _platform(folder, user, wrapper)
    # The keyring and the cache of whoever runs the tests are left alone.
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    platform.environment["UV_CACHE_DIR"] = str(folder / "uv")
    try:
        yield platform, projects
    finally:
        platform.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _platform(folder: Path, user: int, wrapper: Sequence[str]) -> Platform:
    if user == os.getuid() and not wrapper:
        return Platform(with_packages(folder / "home"))
    require(os.getuid() == 0, "root, to become another user")
    # Copies: the links are to files of root's.
    shutil.copytree(with_packages(folder / "linked"), folder / "home")
    shutil.rmtree(folder / "linked")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)
    platform = _OtherUsers(folder / "home")
    platform.wrapper = wrapper
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    platform.environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "runtime"), packages])
    platform.environment["HOME"] = str(folder)
    return platform


class _OtherUsers(Platform):
    wrapper: Sequence[str] = ()

    def start(self, *arguments: str) -> Command:
        return _OtherUsersCommand([*self.wrapper, _python(), "-m", "platform_cli", *arguments, "--json"], self)


class _OtherUsersCommand(Command):
    def __init__(self, command: Sequence[str], platform: Platform) -> None:
        self._process = subprocess.Popen(
            command, cwd="/", env=platform.environment, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=NOBODY, group=GROUP, extra_groups=[],
        )  # fmt: skip
        self.pid = self._process.pid

    def wait(self, timeout_s: float) -> subprocess.CompletedProcess[str]:
        stdout, stderr = self._process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(self._process.args, self._process.returncode, stdout, stderr)


@cache
def _python() -> str:
    """Returns an interpreter like this one that everybody may run."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin")):
        if python and _runs(python):
            return python
    require(False, f"a {version} that every user may run")
    raise AssertionError


def _runs(python: str) -> bool:
    try:
        subprocess.run([python, "-c", ""], user=NOBODY, group=GROUP, extra_groups=[], cwd="/", check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True
