"""Starts a whole cluster of one node in the network namespace that this process is in: etcd, API server, controllers,
scheduler, kubelet, containerd and kube-proxy.

The caller has namespaces of its own for network, mounts and processes, so that all of it ends with the caller.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from platform_cli.config.image_reference import parse_reference
from platform_cli.images.blobs import Blobs
from platform_cli.images.image_config import image_manifest
from platform_cli.images.layer_tar import Entry, write_layer
from platform_cli.images.model import Base, Image
from platform_cli.images.push import push_image
from tests.images.bases import EMPTY

from .build_control_plane import CNI

# The address of the node, the networks of pods and of Services; none of them leaves the namespace.
NODE, PODS, SERVICES = "10.123.0.1", "10.88.0.0/16", "10.96.0.0/16"
API = f"https://{NODE}:6443"
ETCD = "http://127.0.0.1:2379"
# What kubelet sets of the whole machine, and what has to be put back.
KERNEL = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory")
READY_S = 300
CONTAINERD = """
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
[grpc]
address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{registry}/pause:1"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni}"
conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".registry.mirrors."{registry}"]
endpoint = ["http://{registry}"]
"""
BRIDGE = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]},
        }
    ],
}
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs",
    "failSwapOn": False,
    "maxOpenFiles": 20000,
    "oomScoreAdj": 0,
    "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
    "resolvConf": "/dev/null",
}


@dataclass
class ControlPlane:
    """Is the cluster, whose programs are in `binaries` and whose files are in `folder`; images are in `registry`."""

    binaries: Path
    folder: Path
    registry: str
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def kubeconfig(self, name: str = "admin", token: str | None = None, namespace: str = "default") -> Path:
        cluster = {"name": "here", "cluster": {"server": API, "insecure-skip-tls-verify": True}}
        user = {"name": name, "user": {"token": token or self.token}}
        context = {"name": name, "context": {"cluster": "here", "user": name, "namespace": namespace}}
        data = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context]}
        (path := self.folder / f"{name}.kubeconfig").write_text(json.dumps({**data, "current-context": name}))
        return path

    def api(self, method: str, path: str, content: Any = None) -> Any:
        """Asks the API as an administrator."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(verify=False, trust_env=False, timeout=30) as client:
            answer = client.request(method, API + path, json=content, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def start(self, program: str, *arguments: str, binary: Path | None = None) -> None:
        command = [str(binary or self.binaries / program), *arguments]
        with (self.folder / f"{program}.log").open("wb") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))

    def start_all(self) -> None:
        folder, config = self.folder, self.kubeconfig()
        _make_network()
        _hide_folders()
        self._write_files()
        self._start_api()
        self.start(
            "kube-controller-manager", f"--kubeconfig={config}", "--leader-elect=false",
            f"--service-account-private-key-file={folder}/service.key",
        )  # fmt: skip
        self.start("kube-scheduler", f"--kubeconfig={config}", "--leader-elect=false")
        push_pause(self.registry, folder)
        self.start("containerd", f"--config={folder}/containerd.toml", binary=Path("/usr/bin/containerd"))
        _wait((folder / "containerd.sock").exists)
        self.start(
            "kubelet", f"--config={folder}/kubelet.json", f"--kubeconfig={config}", f"--root-dir={folder}/kubelet",
            f"--cert-dir={folder}/kubelet-certificates", "--container-runtime=remote", f"--node-ip={NODE}",
            f"--container-runtime-endpoint=unix://{folder}/containerd.sock", "--hostname-override=node",
        )  # fmt: skip
        self.start(
            "kube-proxy", f"--kubeconfig={config}", "--proxy-mode=iptables", "--hostname-override=node",
            "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        )  # fmt: skip
        _wait(self._has_ready_node)
        _wait(lambda: self._answers("/api/v1/namespaces/default/serviceaccounts/default"))

    def _write_files(self) -> None:
        folder = self.folder
        (folder / "cni").mkdir()
        (folder / "cni" / "10-pods.conflist").write_text(json.dumps(BRIDGE))
        (folder / "kubelet.json").write_text(json.dumps(KUBELET))
        text = CONTAINERD.format(folder=folder, registry=self.registry, cni=CNI)
        (folder / "containerd.toml").write_text(text)
        (folder / "tokens.csv").write_text(f'{self.token},admin,1,"system:masters"\nof-a-guest,guest,2\n')
        subprocess.run(["openssl", "genrsa", "-out", folder / "service.key", "2048"], check=True, capture_output=True)

    def _start_api(self) -> None:
        folder = self.folder
        self.start(
            "etcd", f"--data-dir={folder}/etcd", f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync", binary=Path("/usr/bin/etcd"),
        )  # fmt: skip
        self.start(
            "kube-apiserver", f"--etcd-servers={ETCD}", f"--service-cluster-ip-range={SERVICES}",
            f"--bind-address={NODE}", f"--advertise-address={NODE}", "--secure-port=6443", f"--cert-dir={folder}/api",
            f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC",
            "--service-account-issuer=https://here", f"--service-account-signing-key-file={folder}/service.key",
            f"--service-account-key-file={folder}/service.key", "--kubelet-preferred-address-types=InternalIP",
        )  # fmt: skip
        _wait(lambda: self._answers("/readyz"))

    def _answers(self, path: str) -> bool:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            with httpx.Client(verify=False, trust_env=False) as client:
                return client.get(API + path, headers=headers).status_code == 200
        except httpx.HTTPError:
            return False

    def _has_ready_node(self) -> bool:
        nodes = self.api("GET", "/api/v1/nodes")["items"]
        conditions = [each for node in nodes for each in node["status"].get("conditions", ())]
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@contextmanager
def control_plane(binaries: Path, folder: Path, registry: str) -> Iterator[ControlPlane]:
    """Runs a cluster whose files are in `folder`, and yields it when its node is ready."""
    kernel = {Path("/proc/sys", name): Path("/proc/sys", name).read_text() for name in KERNEL}
    cluster = ControlPlane(binaries, folder, registry)
    try:
        cluster.start_all()
        yield cluster
    finally:
        for process in reversed(cluster.running):
            process.terminate()
        for process in cluster.running:
            process.wait()
        for path, value in kernel.items():
            path.write_text(value)


def push_pause(registry: str, folder: Path) -> None:
    """Pushes the image of the process that holds a pod's namespaces."""
    blobs = Blobs(folder / "pause")
    layer = write_layer(blobs, {"catatonit": Entry(Path("/usr/bin/catatonit"), mode=0o755)}, "pause")
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/catatonit", "-P"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
            "history": [{"created_by": "catatonit"}],
        }
    ).encode()
    image = Image(Base(EMPTY, (), {}), (layer,), config, image_manifest(config, (layer,), {}))
    push_image(image, parse_reference(f"{registry}/pause:1"), blobs)


def _make_network() -> None:
    for command in (
        "ip link set lo up",
        "ip link add node0 type veth peer name other0",
        f"ip address add {NODE}/24 dev node0",
        "ip link set node0 up",
        "ip link set other0 up",
        f"ip route add default dev node0 src {NODE}",
    ):
        subprocess.run(command.split(), check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    os.environ["NO_PROXY"] = "*"


def _hide_folders() -> None:
    """Puts empty folders over those that a kubelet and containerd write to wherever they are started."""
    for path in ("/var/log", "/var/lib/cni", "/var/lib/kubelet", "/run"):
        Path(path).mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)


def _wait(condition: Any) -> None:
    end = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"the cluster is not ready after {READY_S} s")
        time.sleep(0.2)
