"""Plays what `homeport export kubernetes` writes with podman, which runs a Deployment of one pod without a cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.probing import is_healthy, wait_for
from tests.images.registries import registry
from tests.support import Platform, with_packages

from .engines import Podman, podman, push_base
from .other_network import OtherNetwork

PORT = 8000
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


class Pods:
    """Are the pods of projects whose images are based on `base`; `podman` plays them."""

    def __init__(self, service: Podman, network: OtherNetwork, base: str, folder: Path) -> None:
        self.podman = service
        self.base = base
        self._network = network
        self._folder = folder
        self._homeport = Platform(folder / "home")

    def play(self, project: Path, name: str) -> str:
        """Runs the pod of a project, and returns its URL once it serves."""
        folder = self._folder / name
        layout, archive, objects = folder / "layout", folder / "image.tar", folder / "kubernetes.yaml"
        image = f"{self.base.partition('/')[0]}/you/{name}:1"
        folder.mkdir()
        self._homeport.run("image", str(project), "--output", str(layout), "--push", image)
        given = ("--image", image, "--name", name, "--to", str(objects))
        self._homeport.run("export", "kubernetes", str(project), *given)
        subprocess.run(["tar", "-C", layout, "-c", "-f", archive, "."], check=True)
        self.podman("load", "--input", archive)
        self.podman("play", "kube", objects)
        pod = self.podman("pod", "inspect", "--format", "{{.InfraContainerID}}", f"{name}-pod-0")
        address = self.podman("inspect", "--format", ADDRESS, pod)
        url = f"http://127.0.0.1:{self._network.forwarded(address, PORT)}"
        wait_for(lambda: is_healthy(url))
        return url


@contextmanager
def pods(folder: Path, *kinds: str) -> Iterator[Pods]:
    """Runs podman and a registry in `folder`, with the packages of `kinds`."""
    with_packages(folder / "home", *kinds)
    with podman(folder) as service, registry(folder) as images:
        network = OtherNetwork(service.pid)
        try:
            yield Pods(service, network, push_base(images.address, folder / "base"), folder)
            service("pod", "rm", "--all", "--force")
        finally:
            network.close()
