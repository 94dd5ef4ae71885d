"""Runs what `homeport export kubernetes` writes with podman, which plays a Deployment of one pod without a cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.probing import HEADERS
from tests.images.registries import registry
from tests.support import SERVERS, SMALLEST, Platform, require, with_config
from tests.targets.container.engines import push_base

pytestmark = pytest.mark.whole

PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
# podman raises limits that a sandbox may not raise, unless it is told which to set.
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
events_logger = "file"
cgroup_manager = "cgroupfs"
"""
# All of it is in a network namespace of its own; whoever asks is in the pod.
PLAY = """
set -e
ip link set lo up
run=$(mktemp -d /tmp/podman-XXXX)
podman() { command podman --root "$PLACE/root" --runroot "$run" --runtime "$(command -v runc)" "$@"; }
trap 'podman play kube --down "$PLACE/kubernetes.yaml"; podman rm --all --force; rm -r "$run"' EXIT
podman load --input "$PLACE/image.tar"
podman play kube "$PLACE/kubernetes.yaml"
podman exec notes-pod-0-server "$PYTHON" -c "$CALL"
podman inspect --format '{{.HostConfig.ReadonlyRootfs}} {{.Config.User}} {{.EffectiveCaps}}' notes-pod-0-server
"""
CALL = f"""
import json, time, urllib.error, urllib.request
params = {{"name": "add", "arguments": {{"a": 40, "b": 2}}}}
body = json.dumps({{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}).encode()
for _ in range(600):
    try:
        answer = urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8000/mcp", body, {HEADERS!r}))
        break
    except urllib.error.URLError:
        time.sleep(0.1)
print(answer.read().decode())
"""


def test_podman_plays_the_objects(tmp_path: Path) -> None:
    require(sys.platform == "linux" and os.getuid() == 0, "podman without limits of its own takes root on Linux")
    require(shutil.which("podman") and shutil.which("runc"), "podman and runc are not installed")
    homeport, objects = Platform(tmp_path / "home"), tmp_path / "kubernetes.yaml"
    with registry(tmp_path) as images:
        base, image = push_base(images.address, tmp_path / "base"), f"{images.address}/you/notes:1"
        config = f'[project]\nname = "notes"\n[deployment.container]\nbase = "{base}"\n[auth]\nmode = "none"\n'
        project = str(with_config(SERVERS / SMALLEST, config, tmp_path))
        homeport.run("image", project, "--output", str(tmp_path / "image"), "--push", image)
    homeport.run("export", "kubernetes", project, "--image", image, "--to", str(objects))
    subprocess.run(["tar", "-C", tmp_path / "image", "-c", "-f", tmp_path / "image.tar", "."], check=True)
    (tmp_path / "containers.conf").write_text(CONTAINERS_CONF)
    own = {"CONTAINERS_CONF": str(tmp_path / "containers.conf"), "PLACE": str(tmp_path), "PYTHON": PYTHON}
    environment = {**os.environ, **own, "CALL": CALL}
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", PLAY], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "42" in done.stdout
    assert "true 65532:0 []" in done.stdout, done.stdout
