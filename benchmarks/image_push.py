"""An image of a server made and pushed by `homeport image`, next to `docker build` with BuildKit and `docker push`, and
to the docker SDK, which has the classic builder alone.

first         the registry has the base; the packages are there without bytecode, which everybody compiles
code change   the server's file was edited since

homeport's seconds are those of its stages image and push. `whole command` has Python's start, too, and the inspection
by a platform that runs: it loads the server, which the peers do not do. Bytes are those of the blobs that the image's
repository has then and did not have before, without the base's.

It takes Debian's docker-registry, and a Docker Engine that reaches it at 127.0.0.1; `--docker` names a command line
whose `docker build` is BuildKit's.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.images.registries import registry
from tests.targets.container.engines import push_base

from .harness import ENVIRONMENT, SERVERS, Platform, folder, in_turn, platform, show, show_ratio, timed

# Files that are templates do not compile.
DOCKERFILE = """
FROM {base}
COPY packages /opt/packages
RUN ["{python}", "-c", "import compileall; compileall.compile_dir('/opt/packages', quiet=2, workers=0)"]
COPY server.py /opt/app/
ENV PYTHONPATH=/opt/packages
ENTRYPOINT ["{python}", "/opt/app/server.py"]
"""
BUILDKIT, SDK, HOMEPORT, WHOLE = "BuildKit", "docker SDK", "homeport", "whole command"
GOALS = {("first", BUILDKIT): "<= 0.6", ("code change", BUILDKIT): "<= 0.6", ("code change", SDK): "<= 0.1"}


@dataclass(frozen=True, slots=True)
class Place:
    """A server's folder with its Dockerfile and packages, the registry's address and its data."""

    server: Path
    registry: str
    data: Path
    laptop: Platform

    def bytes(self, repository: str) -> int:
        """Of all blobs that a repository has, but for those of the base."""
        blobs = self._blobs(repository) - self._blobs("base")
        return sum((self._content / "blobs/sha256" / blob[:2] / blob / "data").stat().st_size for blob in blobs)

    def _blobs(self, repository: str) -> set[str]:
        return {file.name for file in (self._content / "repositories" / repository).glob("_layers/sha256/*")}

    @property
    def _content(self) -> Path:
        return self.data / "docker" / "registry" / "v2"

    def edit(self) -> None:
        with (self.server / "server.py").open("a") as file:
            file.write(f"\n# edited {time.time()}\n")


def homeport(place: Place, name: str, *, first: bool) -> Mapping[str, float]:
    if first:
        for cache in ("layers", "blobs"):
            shutil.rmtree(place.laptop.home / "cache" / "images" / cache)
    started = time.perf_counter()
    answer = place.laptop.run("image", str(place.server), "--push", f"{place.registry}/{name}")
    whole = time.perf_counter() - started
    stages = {stage["name"]: stage["seconds"] for stage in answer["stages"]}
    return {HOMEPORT: stages["image"] + stages["push"], WHOLE: whole}


def buildkit(docker: str, place: Place, name: str, *, first: bool) -> Mapping[str, float]:
    image = f"{place.registry}/{name}"
    environment = {**ENVIRONMENT, "DOCKER_BUILDKIT": "1"}
    fresh = ["--no-cache"] if first else []
    build: list[str | Path] = [docker, "build", "--network", "none", *fresh, "--tag", image, place.server]
    return {BUILDKIT: timed(build, environment) + timed([docker, "push", image], environment)}


def sdk(place: Place, name: str, *, first: bool) -> Mapping[str, float]:
    from docker import from_env

    image = f"{place.registry}/{name}"
    started = time.perf_counter()
    client: Any = from_env()
    client.images.build(path=str(place.server), tag=image, nocache=first, rm=True, network_mode="none")
    if "errorDetail" in (said := client.images.push(image)):
        raise SystemExit(said)
    client.close()
    return {SDK: time.perf_counter() - started}


def measure(docker: str, place: Place, number: int) -> dict[str, dict[str, tuple[float, int]]]:
    """Seconds and bytes by stage and builder, in round `number`."""
    builders: dict[str, Callable[..., Mapping[str, float]]] = {
        HOMEPORT: homeport,
        BUILDKIT: lambda *arguments, first: buildkit(docker, *arguments, first=first),
        SDK: sdk,
    }
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for stage in ("first", "code change"):
        found[stage] = {}
        for name in in_turn(builders, number):
            # Each has blobs of its own to send.
            place.edit()
            repository = f"{name.lower().replace(' ', '-')}-{number}"
            before = place.bytes(repository)
            seconds = builders[name](place, repository, first=stage == "first")
            found[stage].update({each: (value, place.bytes(repository) - before) for each, value in seconds.items()})
    return found


def prepare(docker: str, root: Path, address: str, laptop: Platform) -> Place:
    base = push_base(address, root)
    # BuildKit alone does not note that the registry has it, and `docker push` would send it.
    timed([docker, "pull", base])
    server = root / "server"
    shutil.copytree(SERVERS / "fastmcp4", server, ignore=shutil.ignore_patterns("__pycache__"))
    (server / "fastmcp.toml").write_text(f'[project]\nname = "server"\n[deployment.container]\nbase = "{base}"\n')
    (server / "Dockerfile").write_text(
        DOCKERFILE.format(base=base, python=f"python{sys.version_info[0]}.{sys.version_info[1]}")
    )
    (server / ".gitignore").write_text("packages\n")
    laptop.run("image", str(server))
    (layer,) = (laptop.home / "layers").iterdir()
    shutil.copytree(layer, server / "packages", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    laptop.run("platform", "start")
    return Place(server, address, root / "registry" / "data", laptop)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.image_push",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--docker", default="docker")
    options = parser.parse_args()
    measured: dict[str, dict[str, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    with folder("homeport-benchmark-") as root, platform() as laptop:
        (root / "registry").mkdir()
        with registry(root / "registry") as running:
            place = prepare(options.docker, root, running.address, laptop)
            for number in range(options.rounds):
                for stage, found in measure(options.docker, place, number).items():
                    for name, value in found.items():
                        measured[stage][name].append(value)
    for stage, by_name in measured.items():
        for name, values in by_name.items():
            seconds, sent = (statistics.median(column) for column in zip(*values, strict=True))
            show(f"{stage:<12} {name:<14} {seconds:6.2f} s {sent / 1000:10.1f} KB")
        for peer in (BUILDKIT, SDK):
            pairs = zip(by_name[HOMEPORT], by_name[peer], strict=True)
            ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in pairs)
            show_ratio(f"image_push {stage}, by {peer}", ratio, GOALS.get((stage, peer), "<= 0.6"))
    kilobytes = statistics.median(each for _, each in measured["code change"][HOMEPORT]) / 1000
    show_ratio("image_push code change, KB sent", kilobytes, "<= 20")


if __name__ == "__main__":
    main()
