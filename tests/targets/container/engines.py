"""A container engine of the tests' own, and a base image made of this machine's own Python: nothing is downloaded."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.e2e.probing import wait_for
from tests.support import require

BASE = "homeport-test-base"
# The C libraries that wheels may expect of every base (PEP 600).
EXPECTED = (
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "librt.so.1",
    "libdl.so.2",
    "libpthread.so.0",
    "libresolv.so.2",
    "libutil.so.1",
)
LEFT_OUT = ("site-packages", "test", "idlelib", "ensurepip", "__pycache__", "lib2to3")
LOADED = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[str]:
    """Runs dockerd in a network namespace of its own, and yields what DOCKER_HOST has to be."""
    require(sys.platform == "linux" and os.getuid() == 0, "an engine of the tests' own takes root on Linux")
    require(shutil.which("dockerd") and shutil.which("iptables"), "Docker Engine and iptables are not installed")
    socket, log = folder / "docker.sock", folder / "dockerd.log"
    own = f"ip link set lo up; exec dockerd --data-root {folder}/data --exec-root {folder}/exec --pidfile {folder}/pid"
    with log.open("wb") as output:
        command = ["unshare", "--net", "sh", "-c", f"{own} -H unix://{socket}"]
        daemon = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        address = f"unix://{socket}"
        wait_for(lambda: daemon.poll() is not None or _answers(address))
        require(daemon.poll() is None, f"dockerd does not run here: {log.read_text()[-500:]}")
        yield address
    finally:
        daemon.terminate()
        daemon.wait()


def client(address: str) -> Any:
    from docker import APIClient

    return APIClient(base_url=address, version="auto")


def _answers(address: str) -> bool:
    from docker.errors import DockerException

    with contextlib.suppress(DockerException), contextlib.closing(client(address)) as asked:
        return bool(asked.ping())
    return False


def import_base(address: str) -> str:
    """Makes an image of this Python with the libraries that it is linked to, and returns its name."""
    data = BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        _add_python(tar)
    with contextlib.closing(client(address)) as engine:
        engine.import_image_from_data(
            data.getvalue(), repository=BASE, tag="latest", changes=["ENV PATH=/usr/local/bin"]
        )
    return f"{BASE}:latest"


def _add_python(tar: tarfile.TarFile) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Path(sys.base_prefix) / "bin" / version
    library = Path(sysconfig.get_paths(vars={"base": sys.base_prefix})["stdlib"])
    tar.add(interpreter, "usr/local/bin/python3")
    tar.add(library, f"usr/local/lib/{version}", filter=_kept)
    modules = (library / "lib-dynload").glob("*.so")
    for path in sorted(_linked([interpreter, *modules])):
        # The loader's own path is in every program; it looks for the others in its usual folders.
        is_loader = path.name.startswith("ld-")
        tar.add(path.resolve(), str(path).lstrip("/") if is_loader else f"usr/lib/{_multiarch()}/{path.name}")
    for name, target in {"lib": "usr/lib"}.items():
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, target
        tar.addfile(link)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(member.name).parts
    is_left_out = any(part in LEFT_OUT or part.startswith("config-") for part in parts) or member.name.endswith(".a")
    member.uid = member.gid = 0
    return None if is_left_out else member


def _linked(programs: list[Path]) -> set[Path]:
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    found = {Path(match[1]) for match in LOADED.finditer(said)}
    folders = {path.parent for path in found}
    return found | {folder / name for folder in folders for name in EXPECTED if (folder / name).exists()}


def _multiarch() -> str:
    return str(sysconfig.get_config_var("MULTIARCH") or f"{os.uname().machine}-linux-gnu")
