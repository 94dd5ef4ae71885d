"""Plays what `homeport export kubernetes` writes with podman, which runs a Deployment of one pod without a cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.e2e.probing import is_healthy, wait_for
from tests.support import Platform

from .engines import Podman, podman
from .other_network import OtherNetwork

PORT = 8000
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


class Pods:
    """Plays pods with `podman`, of images that `homeport` makes and names in a registry."""

    def __init__(self, service: Podman, network: OtherNetwork, homeport: Platform, folder: Path) -> None:
        self.podman = service
        self._network = network
        self._homeport = homeport
        self._folder = folder

    def play(self, project: Path, name: str, image: str) -> str:
        """Runs the pod of a project in place of the one before, and returns its URL once it serves."""
        folder = self._folder / f"{name}-pod"
        layout, archive, objects = folder / "layout", folder / "image.tar", folder / "kubernetes.yaml"
        folder.mkdir()
        self._homeport.run("image", str(project), "--output", str(layout), "--push", image)
        given = ("--image", image, "--name", name, "--to", str(objects))
        self._homeport.run("export", "kubernetes", str(project), *given)
        subprocess.run(["tar", "-C", layout, "-c", "-f", archive, "."], check=True)
        self.podman("load", "--input", archive)
        # podman publishes the ports of containers, whether they ask for it or not, and this one is the same in all.
        self.remove_all()
        self.podman("play", "kube", objects)
        pod = self.podman("pod", "inspect", "--format", "{{.InfraContainerID}}", f"{name}-pod-0")
        address = self.podman("inspect", "--format", ADDRESS, pod)
        url = f"http://127.0.0.1:{self._network.forwarded(address, PORT)}"
        wait_for(lambda: is_healthy(url))
        return url

    def remove_all(self) -> None:
        self.podman("pod", "rm", "--all", "--force")


@contextmanager
def pods(folder: Path, homeport: Platform) -> Iterator[Pods]:
    """Runs podman in `folder`."""
    with podman(folder) as service, closing(OtherNetwork(service.pid)) as network:
        running = Pods(service, network, homeport, folder)
        yield running
        running.remove_all()
