"""Asks a container engine over Docker's API (version 1.41 or newer): Docker Engine, or podman by its Docker socket.

Only the calls that make, start, list and remove containers are used, which wait: callers have threads for them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import PlatformError, ReleaseError

if TYPE_CHECKING:
    from docker import APIClient

# The API of Docker 20.10 and podman 4.
MINIMUM_API = (1, 41)
# Of the files and processes that a container may have podman raises the limits to its own, which it may not do
# everywhere, unless they are named.
OPEN_FILES = PROCESSES = 4096
PIDS = 2048
LOOPBACK = "127.0.0.1"
# The seconds that the engine may take to answer.
TIMEOUT_S = 60
# The lines of a container's output that say why it has ended.
LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class Mount:
    """Shows the folder `source` of this machine at `target` in a container."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Describes a container: without capabilities, with a read-only root, and with no more memory than `memory_mb`, and
    no more of the processors than `cpus`, None for all.

    `command` are the arguments of the image's entry point. `user` is `UID:GID`. Everybody who may ask the engine sees
    `environment`. Its `ports` are published on free ports of loopback.
    """

    name: str
    image: str
    command: Sequence[str]
    user: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    mounts: Sequence[Mount]
    memory_mb: int
    network: str
    cpus: float | None = None
    ports: Sequence[int] = ()


class Engine:
    """Is the engine that DOCKER_HOST names, by default Docker's own on this machine."""

    @cached_property
    def _client(self) -> APIClient:
        """Raises PlatformError if there is no engine that can be used."""
        from docker import APIClient
        from docker.errors import DockerException

        address = os.environ.get("DOCKER_HOST") or None
        where = address or "unix:///var/run/docker.sock"
        try:
            client = APIClient(base_url=address, version="auto", timeout=TIMEOUT_S)
        except DockerException as error:
            denied = "Permission denied" in str(error)
            raise PlatformError(
                f"the container engine at {where} {'may not be used by this user' if denied else 'does not answer'}",
                hint="join its group: sudo usermod -aG docker $USER, then log in anew and restart the platform"
                if denied
                else "install and start Docker, or name another one's socket by DOCKER_HOST; then `homeport doctor`",
            ) from error
        if tuple(map(int, client.api_version.split("."))) < MINIMUM_API:
            raise PlatformError(
                f"the container engine at {where} speaks version {client.api_version} of Docker's API",
                hint=f"{'.'.join(map(str, MINIMUM_API))} or newer is needed: Docker 20.10, or podman 4",
            )
        return client

    def check(self) -> str:
        """Returns which engine it is.

        Raises PlatformError if there is none that can be used.
        """
        return f"{self._client.version()['Version']}, API {self._client.api_version}"

    def start(self, spec: ContainerSpec) -> str:
        """Starts a container, and returns its id.

        Raises ReleaseError if the engine refuses; there may be a container of its name then.
        """
        with _refusals(f"the container {spec.name} cannot be started"):
            made = self._client.create_container(
                spec.image,
                command=list(spec.command),
                name=spec.name,
                user=spec.user,
                environment=dict(spec.environment),
                labels=dict(spec.labels),
                ports=list(spec.ports),
                # The image's own asks a server of its own.
                healthcheck={"test": ["NONE"]},
                host_config=self._host_config(spec),
            )
            container: str = made["Id"]
            self._client.start(container)
            return container

    def _host_config(self, spec: ContainerSpec) -> Mapping[str, object]:
        from docker.types import Mount as BindMount
        from docker.types import Ulimit

        ulimits = [Ulimit(name=name, soft=most, hard=most) for name, most in _ULIMITS.items()]
        mounts = [BindMount(each.target, str(each.source), "bind", each.read_only) for each in spec.mounts]
        config: Mapping[str, object] = self._client.create_host_config(
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            read_only=True,
            tmpfs={"/tmp": "mode=1777"},  # noqa: S108 - the container's own
            mounts=mounts,
            mem_limit=spec.memory_mb * 1024 * 1024,
            pids_limit=PIDS,
            ulimits=ulimits,
            network_mode=spec.network,
            port_bindings=dict.fromkeys(spec.ports, (LOOPBACK,)),
            **({"nano_cpus": round(spec.cpus * 1e9)} if spec.cpus else {}),
        )
        return config

    def layers_of(self, image: str) -> list[str] | None:
        """Returns the digests of an image's layers, the lowest first, None if the engine does not have the image."""
        from docker.errors import ImageNotFound

        with _refusals(f"the image {image} cannot be looked at"):
            try:
                layers: list[str] = self._client.inspect_image(image)["RootFS"]["Layers"]
            except ImageNotFound:
                return None
            return layers

    def images(self, label: str) -> list[str]:
        """Returns the ids of the images that have a label of that name."""
        with _refusals("images cannot be listed"):
            return [each["Id"] for each in self._client.images(filters={"label": label})]

    def load(self, archive: IO[bytes], name: str) -> None:
        """Loads an image from a tar archive, in which layers may be left out that the engine has.

        Raises ReleaseError if the image is not there afterwards under its `name`.
        """
        with _refusals(f"the image {name} cannot be loaded"):
            for said in self._client.load_image(archive):
                if "error" in said:
                    raise ReleaseError(f"the image {name} cannot be loaded: {said['error']}", hint=_hint(said["error"]))
        if self.layers_of(name) is None:
            raise ReleaseError(f"the engine has not loaded the image {name}")

    def remove_image(self, name: str) -> None:
        """Removes an image, if it exists.

        Raises ReleaseError if a container uses it.
        """
        from docker.errors import ImageNotFound

        with _refusals(f"the image {name} cannot be removed"):
            try:
                self._client.remove_image(name)
            except ImageNotFound:
                return

    def last_words(self, container: str) -> str:
        """Returns the last lines of a container's output, empty without any."""
        from docker.errors import APIError

        with contextlib.suppress(APIError):
            said: bytes = self._client.logs(container, tail=LAST_LINES)
            return said.decode("utf-8", "replace").strip()
        return ""

    def remove(self, container: str) -> None:
        """Ends and removes a container, if it exists.

        Raises ReleaseError if it is still there: somebody else may be removing it, or the engine itself cleaning up.
        """
        from docker.errors import NotFound

        with contextlib.suppress(NotFound), _refusals(f"the container {container} cannot be removed"):
            self._client.remove_container(container, force=True, v=True)

    def containers(self, label: str) -> list[str]:
        """Returns the ids of all containers with `label` (`NAME=VALUE`)."""
        with _refusals("containers cannot be listed"):
            return [each["Id"] for each in self._client.containers(all=True, filters={"label": label})]

    def runs(self, container: str) -> bool:
        from docker.errors import DockerException

        with contextlib.suppress(DockerException, OSError):
            return bool(self._client.inspect_container(container)["State"]["Running"])
        return False

    def exit_code(self, container: str) -> int | None:
        """Returns the exit code of a container that has ended, None if it is not known."""
        from docker.errors import DockerException

        with contextlib.suppress(DockerException, OSError):
            state = self._client.inspect_container(container)["State"]
            return None if state["Running"] else int(state["ExitCode"])
        return None

    def published(self, container: str) -> dict[int, int]:
        """Returns the ports of loopback at which a container's own are published, by these; none once it has ended."""
        from docker.errors import NotFound

        with contextlib.suppress(NotFound), _refusals(f"the ports of the container {container} cannot be looked at"):
            ports = self._client.inspect_container(container)["NetworkSettings"]["Ports"] or {}
            return {int(port.partition("/")[0]): int(each[0]["HostPort"]) for port, each in ports.items() if each}
        return {}


_ULIMITS = {"nofile": OPEN_FILES, "nproc": PROCESSES}


@contextlib.contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Raises ReleaseError for what the engine refuses, but NotFound, which has a meaning of its own."""
    from docker.errors import APIError, DockerException, ImageNotFound, NotFound

    try:
        yield
    except ImageNotFound as error:
        raise ReleaseError(
            f"{what}: the engine does not have its image any more", hint="deploy again, which loads it"
        ) from error
    except NotFound:
        raise
    except APIError as error:
        said = str(error.explanation or error)
        raise ReleaseError(f"{what}: {said}", hint=_hint(said)) from error
    except (DockerException, OSError) as error:
        raise ReleaseError(f"{what}: {error}", hint="see whether the container engine runs") from error


def _hint(said: str) -> str:
    if "no space left" in said.lower():
        return "free disk space where the engine keeps its images (`docker system df` shows them), then deploy again"
    return "`homeport doctor --target container` says whether the engine can be used"
