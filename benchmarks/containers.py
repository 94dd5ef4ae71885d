"""A project in a container, next to the same one as a process, and to its image under `docker run --publish`.

wake     from no worker to the first answered tools/call: by a fork in a container that is up, by a fork outside, and
         by a container that has to be started
cpu      processor time of a call with 16 connections: that of all the container's processes, or of the zygote outside,
         its keeper and its workers, and that of the control plane, which writes the log; by `docker run` that of its
         processes, of docker-proxy, and of the engine, which writes the log there. All have the same Python, and no
         worker starts or ends meanwhile. Each round has new processes: one may need 7 % more for the same calls than
         another of the same program, by where its memory lies.
memory   PSS of the container in which nothing runs but its zygote, and of the zygote outside with its keeper
import   processor time of `import fastmcp` in the image, and without its bytecode; the base has no bytecode of Python's
         own modules, as Docker's official images, and the image brings it
load     bytes that the engine gets for an edit of the server's file

Beside other work `cpu` says little: all containers of a machine together have the share of one process outside, and
whoever waits longer for a processor finds colder caches.

It takes the Docker Engine of this machine, and Debian's docker-registry. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from platform_cli.images.places import PACKAGES
from tests.images.registries import registry
from tests.targets.container.engines import push_base

from .by_hand import project
from .calls import STATELESS, wait_for_answer
from .cold_start import timed_call, wait_for_no_worker
from .harness import Platform, folder, free_port, in_turn, platform, show, show_ratio
from .processes import descendants, parent, processor_seconds, proportional_size
from .throughput import CONNECTIONS, measure, split_processors

# By name what starts its processes anew, for as long as the block is entered: the port, and who works for its calls.
Sides = Mapping[str, Callable[[], contextlib.AbstractContextManager[tuple[int, list[int]]]]]
CONTAINED, PROCESS, PUBLISHED = "contained", "process", "published"
CONFIG = '[auth]\nmode = "none"\n[scaling]\nidle_s = {idle_s}\n[deployment.container]\nbase = "{base}"\n'
IMPORT = f"""
import sys, time
sys.path.append("/{PACKAGES}")
started = time.process_time()
import fastmcp
print(time.process_time() - started)
"""
# The container stays ten times as long as an idle worker: until the other side was measured.
SLEEPING, AWAKE = 3, 3600


class Engine:
    """Docker's API, as far as containers of one platform are looked at."""

    def __init__(self) -> None:
        from docker import from_env

        self._client: Any = from_env()

    def container(self) -> Any:
        """The container of the project that has one."""
        [found] = self._client.containers.list(filters={"label": f"homeport.project={CONTAINED}"})
        return found

    def processes(self, container: Any) -> list[int]:
        container.reload()
        return descendants(container.attrs["State"]["Pid"])

    def load(self, layout: Path, root: Path) -> str:
        """The id of the image that is in a layout."""
        archive = root / "image.tar"
        with tarfile.open(archive, "w") as tar:
            for path in layout.iterdir():
                tar.add(path, path.name)
        with archive.open("rb") as file:
            [image] = self._client.images.load(file)
        found: str = image.id
        return found

    def output(self, image: str, command: list[str]) -> str:
        """What a program in a container of the image writes."""
        program, *arguments = command
        said: bytes = self._client.containers.run(
            image, arguments, entrypoint=[program], network_mode="none", read_only=True, remove=True
        )
        return said.decode()

    @contextlib.contextmanager
    def published(self, image: str) -> Iterator[tuple[int, list[int]]]:
        """Port and processes of an image that serves without a platform."""
        port = free_port()
        container = self._client.containers.run(image, detach=True, ports={"8000/tcp": ("127.0.0.1", port)})
        try:
            wait_for_answer(port)
            handing_on = proxy(port)
            yield port, [*self.processes(container), handing_on, parent(handing_on)]
        finally:
            container.remove(force=True, v=True)


def proxy(port: int) -> int:
    """The process of Docker that hands on what comes to a published port."""
    wanted = f"-host-port\0{port}\0"
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if wanted in file.read_text():
                return int(file.parent.name)
    raise SystemExit("docker-proxy does not run: the engine publishes ports in another way")


def deploy(running: Platform, server: Path, config: str) -> dict[str, int]:
    """The ports of the server in a container and as a process, by their names."""
    (server / "fastmcp.toml").write_text(config)
    urls = {
        name: running.run("deploy", str(server), "--name", name, "--target", target)["url"]
        for name, target in ((CONTAINED, "container"), (PROCESS, "local"))
    }
    return {name: urlsplit(url).port or 80 for name, url in urls.items()}


def wake(running: Platform, engine: Engine, ports: dict[str, int], rounds: int) -> None:
    found: dict[str, list[float]] = {CONTAINED: [], PROCESS: [], "started": []}
    for number in range(rounds):
        for name in in_turn(ports, number):
            # On a slow machine its container may have ended meanwhile.
            timed_call(ports[name])
            wait_for_no_worker(running, name)
            found[name].append(timed_call(ports[name]))
        wait_for_no_worker(running, CONTAINED)
        engine.container().remove(force=True)
        found["started"].append(timed_call(ports[CONTAINED]))
    show("".join(f"wake {name} {statistics.median(seconds):.3f} s  " for name, seconds in found.items()))
    show_ratio("container wake, by the process target", median_of(found[CONTAINED], found[PROCESS]), "<= 1.3")
    show_ratio("container wake, by container start and import", median_of(found["started"], found[CONTAINED]), ">= 20")


@contextlib.contextmanager
def contained(running: Platform, engine: Engine, port: int) -> Iterator[tuple[int, list[int]]]:
    engine.container().remove(force=True)
    wait_for_answer(port)
    yield port, [*engine.processes(engine.container()), running.process]


@contextlib.contextmanager
def by_process(running: Platform, port: int) -> Iterator[tuple[int, list[int]]]:
    control = running.process
    for each in descendants(control)[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    wait_for_answer(port)
    yield port, descendants(control)


def cpu(sides: Sides, rounds: int, seconds: float) -> None:
    processor = split_processors()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in in_turn(sides, number):
            with sides[name]() as (port, working):
                measure(port, STATELESS, CONNECTIONS, seconds / 4, processor)
                before = sum(map(processor_seconds, working))
                calls = measure(port, STATELESS, CONNECTIONS, seconds, processor)["calls"]
                found[name].append((sum(map(processor_seconds, working)) - before) / calls * 1000)
    show("".join(f"cpu {name} {statistics.median(each):.2f} ms  " for name, each in found.items()))
    show_ratio("container cpu of a call, by the process target", median_of(found[CONTAINED], found[PROCESS]), "<= 1.05")
    show_ratio("container cpu of a call, by docker run", median_of(found[CONTAINED], found[PUBLISHED]), "<= 0.95")


def bytecode(engine: Engine, image: str, rounds: int) -> None:
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    # What Python finds beside its sources is not looked for with a prefix.
    ways = {"with": [python, "-S"], "without": [python, "-S", "-X", "pycache_prefix=/none"]}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in in_turn(ways, number):
            found[name].append(float(engine.output(image, [*ways[name], "-c", IMPORT])))
    show("".join(f"import {name} bytecode {statistics.median(each):.2f} s  " for name, each in found.items()))
    show_ratio("image import of fastmcp, by that without bytecode", median_of(*found.values()), "<= 0.7")


def memory(running: Platform, engine: Engine, ports: dict[str, int]) -> None:
    for name, port in ports.items():
        timed_call(port)
        wait_for_no_worker(running, name)
    inside = sum(map(proportional_size, engine.processes(engine.container())))
    # Beside the zygote the control plane has its keeper, and the worker that it has forked ahead.
    outside = sum(map(proportional_size, descendants(running.process)[1:]))
    show(f"idle container {inside / 1e6:.1f} MB  zygote {outside / 1e6:.1f} MB")
    show_ratio("container idle memory, by the zygote outside", inside / outside, "<= 1.1")


def load(running: Platform, server: Path, layout: Path) -> None:
    blobs = layout / "blobs" / "sha256"
    before = {file.name for file in blobs.iterdir()}
    with (server / "server.py").open("a") as file:
        file.write("\n# edited\n")
    running.run("image", str(server), "--output", str(layout))
    new = [file for file in blobs.iterdir() if file.name not in before]
    others = [file for file in layout.iterdir() if file.is_file()]
    show_ratio("container load of an edit, KB", tar_size([*new, *others]) / 1000, "<= 64")


def tar_size(files: list[Path]) -> int:
    # Of each file its header, and its content in blocks of 512 bytes.
    return sum(512 + -(-file.stat().st_size // 512) * 512 for file in files)


def median_of(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.containers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement of the processor")
    options = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("the processor time of a process is read as Linux tells it")
    engine = Engine()
    with folder("homeport-benchmark-") as root, platform() as running:
        (root / "registry").mkdir()
        with registry(root / "registry") as images:
            base = push_base(images.address, root / "base")
            server = project("fastmcp4", root / "project")
            ports = deploy(running, server, CONFIG.format(base=base, idle_s=SLEEPING))
            wake(running, engine, ports, options.rounds)
            memory(running, engine, ports)
            deploy(running, server, CONFIG.format(base=base, idle_s=AWAKE))
            running.run("image", str(server), "--output", str(root / "layout"))
            image = engine.load(root / "layout", root)
            bytecode(engine, image, options.rounds)
            sides: Sides = {
                CONTAINED: lambda: contained(running, engine, ports[CONTAINED]),
                PROCESS: lambda: by_process(running, ports[PROCESS]),
                PUBLISHED: lambda: engine.published(image),
            }
            cpu(sides, options.rounds, options.seconds)
            load(running, server, root / "layout")
        running.run("destroy", CONTAINED, "--yes")


if __name__ == "__main__":
    main()
