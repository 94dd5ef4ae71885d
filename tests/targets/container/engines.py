"""Runs a container engine of the tests' own, and makes a base image of this Python: nothing is downloaded."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_cli.config.image_reference import parse_reference
from platform_cli.images.layer_tar import Entry
from platform_cli.images.push import push_image
from tests.e2e.probing import wait_for
from tests.images.bases import tiny_base
from tests.leftovers import ending_with_us
from tests.small_disks import small_disk
from tests.support import require

# The libraries of glibc and GCC that wheels may expect of every base (PEP 600).
EXPECTED = (
    "libgcc_s.so.1", "libstdc++.so.6", "librt.so.1", "libdl.so.2", "libpthread.so.0", "libresolv.so.2", "libutil.so.1",
)  # fmt: skip
LEFT_OUT = ("site-packages", "test", "idlelib", "ensurepip", "__pycache__", "lib2to3")
LOADED = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")
# Enough for the images of one module, with 2 GB that `doctor` wants to be free; only what is written takes memory.
DATA_MB = 4096


class Dockerd:
    """Is dockerd with its data in `folder`, in a network namespace of its own; `address` is for DOCKER_HOST."""

    def __init__(self, folder: Path) -> None:
        require(sys.platform == "linux" and os.getuid() == 0, "an engine of the tests' own takes root on Linux")
        require(shutil.which("dockerd") and shutil.which("iptables"), "Docker Engine and iptables are not installed")
        self._folder = folder
        self._path = folder / "docker.sock"
        self.address = f"unix://{self._path}"
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        folder, log = self._folder, self._folder / "dockerd.log"
        own = f"dockerd --data-root {folder}/data --exec-root {folder}/exec --pidfile {folder}/pid -H {self.address}"
        with log.open("ab") as output:
            command = ending_with_us("unshare", "--net", "sh", "-c", f"ip link set lo up; exec {own}")
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        wait_for(lambda: process.poll() is not None or _listens(self._path))
        require(process.poll() is None, f"dockerd does not run here: {log.read_text()[-500:]}")
        return process

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """Kills it with its containerd, which no other dockerd would take over; containers go on running."""
        containerd = int((self._folder / "exec/containerd/containerd.pid").read_text())
        self._process.kill()
        self._process.wait()
        os.kill(containerd, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{containerd}").exists())

    def start_again(self) -> None:
        (self._folder / "pid").unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        self._process = self._started()

    def stop(self) -> None:
        """Ends it with its containers."""
        if self._process.poll() is not None:
            # Containers go on without it.
            self.start_again()
        self._process.terminate()
        self._process.wait()
        self._end_lost_containers()

    def _end_lost_containers(self) -> None:
        """Kills the containers that it has taken for ended ones when it was started again."""
        address = str(self._folder / "exec/containerd/containerd.sock").encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if address in (process / "cmdline").read_bytes().split(b"\0"):
                    shim = int(process.name)
                    inside = (process / "task" / process.name / "children").read_text().split()
                    for pid in (*map(int, inside), shim):
                        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def dockerd(folder: Path) -> Iterator[Dockerd]:
    """Runs dockerd, whose images and containers are in memory: they are many files, and none is kept.

    What it leaves mounted there goes with that: one that was killed once does not unmount all in the end.
    """
    with small_disk(folder / "disk", DATA_MB) as disk:
        daemon = Dockerd(disk)
        try:
            yield daemon
        finally:
            daemon.stop()


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[str]:
    """Runs that dockerd, and yields what DOCKER_HOST has to be."""
    with dockerd(folder) as daemon:
        yield daemon.address


# What podman needs where it may not raise limits, as in some sandboxes, and where systemd does not run.
PODMAN = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "/usr/sbin/runc"
events_logger = "file"
cgroup_manager = "cgroupfs"
"""
# A network of its own, and processes that all end with the first of them.
NAMESPACES = ("--net", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True, slots=True)
class Podman:
    """Is podman's service: `address` is for DOCKER_HOST, and `pid` is a process in its network namespace."""

    address: str
    pid: int

    def __call__(self, *arguments: str | Path) -> str:
        """Runs a command of podman there, and returns what it prints."""
        command = ["podman", "--remote", "--url", self.address, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout.strip()


@contextlib.contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """Runs podman's service in a network namespace of its own."""
    require(sys.platform == "linux" and os.getuid() == 0, "podman of the tests' own takes root on Linux")
    require(shutil.which("podman") and shutil.which("runc"), "podman and runc are not installed")
    path, log, config = folder / "podman.sock", folder / "podman.log", folder / "containers.conf"
    config.write_text(PODMAN)
    # podman takes no path for a --runroot that is longer than 50 characters.
    with tempfile.TemporaryDirectory(prefix="podman-", dir="/tmp") as own, small_disk(Path(own), DATA_MB):
        started = f"podman --root {own}/root --runroot {own}/run system service --time 0 unix://{path}"
        # Their first process has to wait for those that have lost their parent.
        first = ("sh", "-c", f"ip link set lo up; {started} & wait")
        command = ending_with_us("unshare", *NAMESPACES, *first, signal="KILL")
        environment = {**os.environ, "CONTAINERS_CONF": str(config)}
        with log.open("wb") as output:
            service = subprocess.Popen(command, stdout=output, stderr=output, env=environment, start_new_session=True)
        try:
            wait_for(lambda: service.poll() is not None or _listens(path))
            require(service.poll() is None, f"podman does not run here: {log.read_text()[-500:]}")
            yield Podman(f"unix://{path}", int(Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text()))
            _remove_containers(f"unix://{path}")
        finally:
            service.kill()
            service.wait()


def _remove_containers(address: str) -> None:
    """Removes all containers, so that no control groups are left of them."""
    with client(address) as asked:
        for container in asked.containers(all=True):
            asked.remove_container(container["Id"], force=True)


def client(address: str) -> Any:
    """Returns Docker's API at that address."""
    from docker import APIClient

    return contextlib.closing(APIClient(base_url=address, version="auto"))


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def push_base(registry: str, folder: Path, *others: str, name: str = "base") -> str:
    """Pushes an image of this Python, with the libraries that it is linked to, and returns its reference; `others` are
    programs that it has, too.
    """
    files = {**python_files(), **programs(*others)}
    # As Docker's official images have it.
    version = f"PYTHON_VERSION={platform.python_version()}"
    base, blobs = tiny_base(folder, environment=["PATH=/usr/local/bin:/usr/bin", version], files=files)
    reference = f"{registry}/{name}:latest"
    push_image(base, parse_reference(reference), blobs)
    shutil.rmtree(blobs.folder)
    return reference


def python_files() -> dict[str, Entry]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Path(sys.base_prefix) / "bin" / version
    library = Path(sysconfig.get_paths(vars={"base": sys.base_prefix})["stdlib"])
    modules = [path for path in library.rglob("*") if path.is_file() and not _is_left_out(path.relative_to(library))]
    return {
        f"usr/local/bin/{version}": Entry(interpreter, mode=0o755),
        **{f"usr/local/lib/{version}/{path.relative_to(library)}": Entry(path) for path in modules},
        **_libraries([interpreter, *(library / "lib-dynload").glob("*.so")]),
        "tmp": Entry(mode=0o1777),
    }


def programs(*names: str) -> dict[str, Entry]:
    """Returns programs of this machine, as /usr/bin/NAME, with the libraries that they are linked to."""
    found = {name: Path(path).resolve() for name in names if (path := shutil.which(name))}
    require(len(found) == len(names), f"one of these is not installed: {', '.join(names)}")
    files = {f"usr/bin/{name}": Entry(path, mode=0o755) for name, path in found.items()}
    return {**files, **_libraries([*found.values()])}


def _libraries(linked: list[Path]) -> dict[str, Entry]:
    # The loader's own path is in every program; it looks for the others in its usual folders.
    return {
        str(path).lstrip("/") if path.name.startswith("ld-") else f"lib/{_multiarch()}/{path.name}": Entry(
            path.resolve(), mode=0o755
        )
        for path in _linked(linked)
    }


def _is_left_out(path: Path) -> bool:
    return path.suffix == ".a" or any(part in LEFT_OUT or part.startswith("config-") for part in path.parts)


def _linked(programs: list[Path]) -> set[Path]:
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    found = {Path(match[1]) for match in LOADED.finditer(said)}
    folders = {path.parent for path in found}
    return found | {folder / name for folder in folders for name in EXPECTED if (folder / name).exists()}


def _multiarch() -> str:
    return str(sysconfig.get_config_var("MULTIARCH") or f"{os.uname().machine}-linux-gnu")
