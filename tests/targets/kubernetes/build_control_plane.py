"""Builds the control plane of Kubernetes 1.20.2 from Debian 12's source package, once: eight minutes of a processor.

Debian's binary package has kubectl alone, and no registry of packages has a control plane that runs by itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import require

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
PACKAGES = "golang-1.19-go rsync etcd-server containerd runc iptables containernetworking-plugins catatonit"
NEEDED = ("containerd", "runc", "iptables", "etcd", "catatonit", "rsync", "nsenter", "ip")
CNI = Path("/usr/lib/cni")
GO = Path("/usr/lib/go-1.19/bin")
CACHE = Path.home() / ".cache" / "homeport-tests" / "kubernetes-1.20.2"
KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = "".join(
    f"deb-src [signed-by={KEY}] http://deb.debian.org/{suite} main\n"
    for suite in ("debian bookworm", "debian bookworm-updates", "debian-security bookworm-security")
)


def check_machine() -> None:
    """Skips the running test if what is needed besides is not there."""
    require(sys.platform == "linux" and os.getuid() == 0, "a control plane of the tests' own takes root on Linux")
    missing = [name for name in NEEDED if shutil.which(name) is None]
    missing += [str(path) for path in (GO, CNI / "bridge") if not path.exists()]
    require(not missing, f"{', '.join(missing)} are missing: apt-get install {PACKAGES}")


def built() -> Path:
    """Returns the folder with the programs, after they were built if they were not."""
    binaries = CACHE / "bin"
    if not all((binaries / name).exists() for name in PROGRAMS):
        CACHE.mkdir(parents=True, exist_ok=True)
        tree = _tree()
        print("building Kubernetes 1.20.2 ...", file=sys.stderr, flush=True)
        environment = {
            **os.environ,
            "PATH": f"{GO}:{os.environ['PATH']}",
            "GOPATH": str(CACHE / "go"),
            "GOCACHE": str(CACHE / "cache"),
            "CGO_ENABLED": "0",
            "FORCE_HOST_GO": "y",
            "KUBE_GIT_VERSION": "v1.20.2",
            "KUBE_GIT_COMMIT": "0",
            "KUBE_GIT_TREE_STATE": "clean",
            "KUBE_GIT_MAJOR": "1",
            "KUBE_GIT_MINOR": "20",
        }
        what = " ".join(f"cmd/{name}" for name in PROGRAMS)
        subprocess.run(["nice", "-n", "15", "make", f"WHAT={what}"], cwd=tree, env=environment, check=True)
        binaries.mkdir(exist_ok=True)
        for name in PROGRAMS:
            shutil.copy2(tree / "_output" / "bin" / name, binaries / name)
        for scratch in ("go", "cache", "source"):
            shutil.rmtree(CACHE / scratch, ignore_errors=True)
    return binaries


def _tree() -> Path:
    """Returns the source, where Go expects it."""
    place = CACHE / "go" / "src" / "k8s.io" / "kubernetes"
    if place.exists():
        return place
    source, lists = CACHE / "source", CACHE / "lists"
    for folder in (source, lists, place.parent):
        folder.mkdir(parents=True, exist_ok=True)
    (CACHE / "sources.list").write_text(SOURCES)
    apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={CACHE}/sources.list", "-o", "Dir::Etc::sourceparts=-"]
    apt += ["-o", f"Dir::State::lists={lists}"]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "source", "--download-only", "kubernetes"], cwd=source, check=True)
    [archive] = source.glob("kubernetes_*.orig.tar.gz")
    subprocess.run(["tar", "-x", "-z", "-f", archive, "-C", source], check=True)
    [unpacked] = (path for path in source.iterdir() if path.is_dir())
    unpacked.rename(place)
    return place


if __name__ == "__main__":
    check_machine()
    print(built())
