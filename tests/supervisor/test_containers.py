"""Tests containers of releases, with an engine that starts a plain process where a container would be."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import pytest

from homeport_runtime.hosts.container.limits import UNLIMITED, read_limits
from homeport_runtime.hosts.users import give_to
from platform_cli.errors import ReleaseError
from platform_cli.home import Home
from platform_cli.supervisor.container_removal import Removal
from platform_cli.supervisor.container_spec import CALLS, NOBODY, OWN, SOCKET, SOCKET_FOLDER, make_folders
from platform_cli.supervisor.container_start import KEY
from platform_cli.supervisor.container_zygote import ContainerProcess, ContainerZygote
from platform_cli.supervisor.containers import Containers
from platform_cli.supervisor.engine import PIDS, ContainerSpec, Engine
from platform_cli.supervisor.launch import Launched
from platform_cli.supervisor.release import Container, RunnableRelease
from platform_cli.supervisor.zygote_messages import Limits
from tests.runtime.hosts.container.images import command

from .releases import release_of
from .stand_ins import until


class StandInEngine(Engine):
    """Starts the zygote of each container as a process; with `broken` one that ends at once.

    With `hides_sockets` nobody listens behind the sockets in its mounts, and one that `is_down` removes nothing.
    """

    hides_sockets = False
    is_down = False

    def __init__(self) -> None:
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.specs: list[ContainerSpec] = []
        self.left = ["left by another platform"]
        self.broken = False

    def start(self, spec: ContainerSpec) -> str:
        folder = next(mount.source for mount in spec.mounts if mount.target == SOCKET_FOLDER)
        # A short path, as in a container: that of a test may be too long for a socket.
        opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        program = [sys.executable, "-c", ""]
        if not self.broken:
            arguments = f"'/proc/self/fd/{opened}/{SOCKET}', Path({str(folder)!r})"
            if self.hides_sockets:
                (folder / SOCKET).unlink(missing_ok=True)
            program = command(sys.executable, "zygote", arguments)
        if spec.ports:
            key = f"'/proc/self/fd/{opened}/{KEY}'"
            arguments = f"{key}, {list(map(str, spec.ports))}, Path({str(folder)!r}), '127.0.0.1'"
            program = command(sys.executable, "published", arguments)
        self.running[spec.name] = subprocess.Popen(program, env={}, pass_fds=[opened])
        os.close(opened)
        self.specs.append(spec)
        return spec.name

    def runs(self, container: str) -> bool:
        return self.running[container].poll() is None

    def exit_code(self, container: str) -> int | None:
        return self.running[container].poll()

    def published(self, container: str) -> dict[int, int]:
        spec = next(each for each in self.specs if each.name == container)
        return dict(zip(spec.ports, spec.ports, strict=True))

    def last_words(self, _container: str) -> str:
        return "its last words"

    def remove(self, container: str) -> None:
        if self.is_down:
            raise ReleaseError("the engine does not answer")
        if container in self.left:
            self.left.remove(container)
            return
        with self.running.pop(container) as process:
            process.kill()

    def containers(self, _label: str) -> list[str]:
        return [*self.left, *self.running]


def run(home: Path, test: Callable[[Containers, StandInEngine], Coroutine[object, object, None]]) -> None:
    async def all_of_it() -> None:
        engine = StandInEngine()
        containers = Containers(Home(home), engine)
        try:
            await test(containers, engine)
        finally:
            await containers.close()
            assert not engine.running

    asyncio.run(all_of_it())


@pytest.fixture
def release(tmp_path: Path) -> RunnableRelease:
    made = release_of(tmp_path, ("quiet",), READ_LEVEL="1", KEY="${secrets.KEY}")
    return replace(made, container=Container("image", "none"), manifest={"memory_mb": 64})


async def launch(containers: Containers, release: RunnableRelease) -> Launched:
    """Starts a worker without sockets, which waits for its job."""
    launched = await containers.launch(release, ())
    os.close(launched.stdout)
    os.close(launched.stderr)
    return launched


async def end(launched: Launched) -> None:
    launched.control.close()
    assert await launched.ended == 0


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets an engine hide sockets, and publish ports that are free here."""
    monkeypatch.setattr(StandInEngine, "hides_sockets", True)
    monkeypatch.setattr("platform_cli.supervisor.container_start.ports_for", lambda _release: free_ports(3))


def free_ports(count: int) -> tuple[int, ...]:
    with contextlib.ExitStack() as opened:
        listeners = [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return tuple(listener.getsockname()[1] for listener in listeners)


def test_workers_of_a_release_share_its_container_and_are_signalled_there(
    tmp_path: Path, release: RunnableRelease
) -> None:
    async def test(containers: Containers, engine: StandInEngine) -> None:
        first, second = [await launch(containers, release) for _ in range(2)]
        [spec] = engine.specs
        assert (spec.image, spec.network, first.place) == ("image", "none", spec.name)
        assert spec.environment["READ_LEVEL"] == "1"
        assert "KEY" not in spec.environment, "nobody sees secrets"
        assert engine.left == []
        first.signal(-first.pid, signal.SIGKILL)
        assert await first.ended == -signal.SIGKILL
        first.control.close()
        await end(second)

    run(tmp_path / "home", test)


@pytest.mark.usefixtures("published")
def test_where_sockets_do_not_pass_it_is_reached_by_published_ports(tmp_path: Path, release: RunnableRelease) -> None:
    async def test(containers: Containers, engine: StandInEngine) -> None:
        open_to_it = replace(release, container=Container("image", "bridge"))
        assert not containers.is_published(open_to_it)
        first, second = [await launch(containers, open_to_it) for _ in range(2)]
        assert [bool(spec.ports) for spec in engine.specs] == [False, True], "it is tried once"
        assert list(engine.running) == [first.place]
        assert containers.is_published(open_to_it)
        first.signal(-first.pid, signal.SIGKILL)
        assert await first.ended == -signal.SIGKILL
        first.control.close()
        await end(second)
        assert not list((tmp_path / "home").rglob(KEY))
        with pytest.raises(ReleaseError, match="none"):
            await containers.launch(replace(release, number=2), ())

    run(tmp_path / "home", test)


@pytest.mark.usefixtures("published")
def test_a_stranger_at_the_published_port_is_not_heard(tmp_path: Path, release: RunnableRelease) -> None:
    async def test(containers: Containers, engine: StandInEngine) -> None:
        worker = await launch(containers, replace(release, container=Container("image", "bridge")))
        with socket.create_connection(("127.0.0.1", engine.specs[-1].ports[0])) as stranger:
            stranger.sendall(b'guessed orders\n{"do":"fork"}\n')
            stranger.settimeout(60)
            await end(worker)
            other = await launch(containers, replace(release, container=Container("image", "bridge")))
            with contextlib.suppress(ConnectionResetError):
                assert stranger.recv(1) == b""
        await end(other)

    run(tmp_path / "home", test)


def test_a_container_lasts_as_long_as_its_release_or_its_last_worker(tmp_path: Path, release: RunnableRelease) -> None:
    async def test(containers: Containers, engine: StandInEngine) -> None:
        old = await launch(containers, release)
        newer = replace(release, number=2)
        new = await launch(containers, newer)
        containers.keep([newer])
        assert len(engine.running) == 2, "its worker has requests to finish"
        again = await launch(containers, release)
        assert again.place == old.place, "a rollback finds it warm"
        containers.keep([release])
        await end(new)
        await until(lambda: list(engine.running) == [old.place])
        await end(old)
        await end(again)
        assert list(engine.running) == [old.place]
        containers.keep([])
        await until(lambda: not engine.running)

    run(tmp_path / "home", test)


def test_nobody_waits_for_workers_that_have_ended_with_their_container(
    tmp_path: Path, release: RunnableRelease
) -> None:
    async def test(containers: Containers, engine: StandInEngine) -> None:
        worker = await launch(containers, release)
        engine.running[worker.place].kill()
        assert await worker.ended is None
        containers.keep([])
        await asyncio.wait_for(containers.settled(), 30)
        worker.control.close()
        await until(lambda: not engine.running)

    run(tmp_path / "home", test)


def test_one_that_the_engine_could_not_remove_is_removed_before_the_next_starts(
    tmp_path: Path, release: RunnableRelease
) -> None:
    async def test(containers: Containers, engine: StandInEngine) -> None:
        worker = await launch(containers, release)
        engine.is_down = True
        engine.running[worker.place].kill()
        assert await worker.ended is None
        worker.control.close()
        containers.keep([])
        await containers.settled()
        engine.is_down = False
        assert list(engine.running) == [worker.place]
        other = await launch(containers, replace(release, number=2))
        assert list(engine.running) == [other.place]
        await end(other)

    run(tmp_path / "home", test)


def test_one_that_nobody_waits_for_is_removed_once_it_has_started(
    tmp_path: Path, release: RunnableRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go = threading.Event(), threading.Event()
    start = StandInEngine.start

    def slow_start(engine: StandInEngine, spec: ContainerSpec) -> str:
        asked.set()
        go.wait()
        # An engine may have mounted it before it was removed.
        next(mount.source for mount in spec.mounts if mount.target == SOCKET_FOLDER).mkdir(exist_ok=True)
        return start(engine, spec)

    async def test(containers: Containers, engine: StandInEngine) -> None:
        launching = asyncio.ensure_future(launch(containers, release))
        await asyncio.to_thread(asked.wait)
        launching.cancel()
        await asyncio.wait({launching})
        go.set()
        await until(lambda: bool(engine.specs) and not engine.running)

    monkeypatch.setattr(StandInEngine, "start", slow_start)
    run(tmp_path / "home", test)


def test_each_worker_finds_its_projects_folders(tmp_path: Path, release: RunnableRelease) -> None:
    """A project of the same name may have been destroyed meanwhile."""

    async def test(containers: Containers, _engine: StandInEngine) -> None:
        project = Home(tmp_path / "home").project(release.project)
        for _ in range(2):
            launched = await launch(containers, release)
            assert {path.name for path in project.iterdir()} == {*OWN, CALLS}
            shutil.rmtree(project)
            await end(launched)

    run(tmp_path / "home", test)


def test_a_container_ends_when_it_was_idle_for_long(tmp_path: Path, release: RunnableRelease) -> None:
    async def test(containers: Containers, engine: StandInEngine) -> None:
        brief = replace(release, idle_s=0.01)
        worker = await launch(containers, brief)
        containers.keep([brief])
        await end(worker)
        await until(lambda: not engine.running)
        await end(await launch(containers, brief))

    run(tmp_path / "home", test)


def test_one_that_ends_at_once_says_why_and_is_removed(tmp_path: Path, release: RunnableRelease) -> None:
    async def test(containers: Containers, engine: StandInEngine) -> None:
        engine.broken = True
        with pytest.raises(ReleaseError, match="its last words"):
            await containers.launch(release, ())
        assert not engine.running
        assert list((tmp_path / "home" / "tmp").iterdir()) == []

    run(tmp_path / "home", test)


def test_a_limit_that_the_engine_ignores_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: RunnableRelease
) -> None:
    async def limits(_zygote: ContainerZygote) -> Limits:
        return Limits(memory=UNLIMITED, pids=PIDS, cpu=2000)

    async def test(containers: Containers, engine: StandInEngine) -> None:
        monkeypatch.setattr(ContainerZygote, "limits", limits)
        with pytest.raises(ReleaseError, match="does not limit memory and the processor, though"):
            await containers.launch(replace(release, container=Container("image", "none", cpus=1.5)), ())
        await until(lambda: not engine.running)

    run(tmp_path / "home", test)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "1048576\n", "pids.max": "max\n", "cpu.max": "50000 100000\n"}, (1048576, UNLIMITED, 500)),
        ({"cpu.max": "max 100000\n"}, (None, None, UNLIMITED)),
        (
            {
                "memory/memory.limit_in_bytes": "4096\n",
                "pids/pids.max": "7\n",
                "cpu/cpu.cfs_quota_us": "150000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            (4096, 7, 1500),
        ),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, (None, None, UNLIMITED)),
        ({}, (None, None, None)),
    ],
)
def test_limits_are_read_from_both_versions_of_control_groups(
    tmp_path: Path, files: dict[str, str], expected: tuple[int | None, ...]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert tuple(read_limits(tmp_path).values()) == expected


def test_a_container_that_names_processes_of_this_machine_harms_none(tmp_path: Path, release: RunnableRelease) -> None:
    """Signals are orders to the zygote, whatever ids it says its workers have."""

    async def test() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        engine = StandInEngine()
        engine.left = ["place"]
        zygote = ContainerZygote(ContainerProcess(Removal(engine), "place"), ours, "place")
        with theirs, subprocess.Popen(["sleep", "3600"], start_new_session=True) as victim:
            launching = asyncio.ensure_future(zygote.launch(release, ()))
            await loop.sock_recv(theirs, 4096)
            await loop.sock_sendall(theirs, b'{"event": "forked", "pid": %d}\n' % victim.pid)
            launched = await launching
            launched.signal(-launched.pid, signal.SIGKILL)
            assert b'"signal"' in await loop.sock_recv(theirs, 4096)
            assert victim.poll() is None
            zygote.close()
            await zygote.ended()
            assert victim.poll() is None
            victim.kill()
        launched.control.close()
        os.close(launched.stdout)
        os.close(launched.stderr)
        with contextlib.suppress(asyncio.CancelledError):
            await zygote._reader

    asyncio.run(test())


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_files_are_given_away_without_following_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    files = tmp_path / "files"
    (files / "below").mkdir(parents=True)
    (files / "below" / "own").touch()
    (files / "folder").symlink_to(outside)
    (files / "file").symlink_to(outside / "file")
    give_to(65532, 0, files)
    assert [path.lstat().st_uid for path in (files, files / "below" / "own", files / "file")] == [65532] * 3
    assert [path.lstat().st_uid for path in (outside, outside / "file")] == [0, 0]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_files_that_are_the_containers_are_not_given_again(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (file := tmp_path / "files" / "file").touch()
    make_folders(tmp_path)
    assert file.stat().st_uid == NOBODY
    os.chown(file, 70000, 0)
    make_folders(tmp_path)
    assert file.stat().st_uid == 70000, "a start does not look at each file that a server has made"
