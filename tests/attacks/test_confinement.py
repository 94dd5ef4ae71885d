"""Tests that a server that turns hostile stays in its room: its bundle, its project's folder, its processes, the
machine.
"""

from __future__ import annotations

import errno
import http.client
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import homeport_runtime
import platform_cli
from homeport_runtime.hosts.confinement import can_hide

from ..e2e.probing import call, control_plane, master, wait_for, workers
from ..support import Platform, require, with_packages

SERVER = '''
import os
import socket
import subprocess
import sys

from mcp.server import MCPServer

mcp = MCPServer("hostile")


@mcp.tool()
def run(code: str) -> str:
    """What a program of Python's prints, or why it ended."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stdout + done.stderr[-300:]


@mcp.tool()
def here(code: str) -> str:
    found = {"answer": ""}
    try:
        exec(code, found)
    except OSError as error:
        return f"refused: {error.strerror}"
    return str(found["answer"])


if __name__ == "__main__":
    mcp.run()
'''
# A socket that listens, in /proc/net/tcp (<net/tcp_states.h>).
LISTEN = "0A"
# Keeps every descriptor of the server, among them its listening socket, and answers whoever connects.
KEEPER = """
import os, signal, socket, stat, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    listeners = []
    for name in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{name}"
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            found = socket.socket(fileno=os.dup(int(name)))
            if found.family == socket.AF_INET and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                listeners.append(found)
    for listener in listeners:
        listener.setblocking(True)
        open("kept", "w").write("kept")
        while True:
            open("alive", "w").write(str(time.time()))
            connection, _ = listener.accept()
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nSTOLEN")
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(with_packages(tmp_path_factory.mktemp("rooms") / "home"))
    # The keyring of whoever runs the tests is left alone.
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    for name in ("UV_CACHE_DIR", "npm_config_cache", "UV_PYTHON_INSTALL_DIR"):
        platform.environment[name] = str(tmp_path_factory.mktemp("shared"))
    require(can_hide(platform.home), "a system that lets processes have mount namespaces")
    yield platform
    platform.stop()


@pytest.fixture
def folder(platform: Platform, tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "requirements.txt").write_text("mcp>=2\n")
    yield tmp_path
    platform.run("destroy", "hostile")


def test_it_changes_nothing_of_its_bundle(platform: Platform, folder: Path) -> None:
    url = platform.deploy(folder, name="hostile").url
    bundle = platform.home / "bundles" / platform.run("status", "hostile")["bundle"]
    assert call(url, "here", code=f"import os; answer = os.listdir({str(bundle)!r})") == "['app']"
    for name in ("server.py", "new.py", "__pycache__/server.pyc"):
        assert call(url, "here", code=f"open({str(bundle / 'app' / name)!r}, 'a')") == "refused: Read-only file system"


def test_it_sees_files_alone_of_its_project(platform: Platform, folder: Path) -> None:
    url = platform.deploy(folder, name="hostile").url
    project = platform.home / "projects" / "hostile"
    assert (project / "logs").exists()
    assert call(url, "here", code=f"import os; answer = sorted(os.listdir({str(project)!r}))") == "['cache', 'files']"
    assert call(url, "here", code=f"open({str(project / 'placed.json')!r}, 'w')") == "refused: Read-only file system"
    assert "refused" in call(url, "here", code=f"import os; os.rename({str(project / 'files')!r}, '/tmp/files')")


def test_it_changes_nothing_that_the_platform_runs(platform: Platform, folder: Path) -> None:
    url = platform.deploy(folder, name="hostile").url
    for module in (platform_cli, homeport_runtime, os):
        code = f"open({module.__file__!r}, 'a')"
        assert call(url, "here", code=code) == "refused: Read-only file system"


def test_it_has_caches_of_its_own(platform: Platform, folder: Path) -> None:
    """What it wrote into those that all share would be installed for others, or run by them."""
    (folder / "requirements.txt").write_text("mcp>=2\nsix==1.17.0\n")
    url = platform.deploy(folder, name="hostile").url
    package = next(Path(platform.environment["UV_CACHE_DIR"]).glob("archive-v0/*/six.py"))
    assert call(url, "here", code=f"open({str(package)!r}, 'a')") == "refused: Read-only file system"
    assert call(url, "here", code=f"import os; os.rename({str(package)!r}, 'six.py')").startswith("refused")
    for name in ("npm_config_cache", "UV_PYTHON_INSTALL_DIR"):
        shared = Path(platform.environment[name])
        assert call(url, "here", code=f"open({str(shared / 'new')!r}, 'w')") == "refused: Read-only file system"
    assert call(url, "here", code="import os; os.mkdir(os.environ['npm_config_cache'])") == ""
    install = ["uv", "pip", "install", "-q", "--target", "own", "six==1.17.0"]
    assert call(url, "run", code=f"import subprocess as s; s.run({install}, check=True)") == ""
    project = platform.home / "projects" / "hostile"
    assert (project / "files" / "own" / "six.py").exists()
    assert list((project / "cache" / "uv").glob("archive-v0/*/six.py"))


def test_what_lies_in_the_temporary_folder_is_there_as_it_is_by_hand(
    platform: Platform, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("of-the-user") / "data"
    data.write_text("of the user")
    url = platform.deploy(folder, name="hostile").url
    assert call(url, "here", code=f"answer = open({str(data)!r}).read()") == "of the user"


@pytest.mark.parametrize("end", ["redeploy", "stop", "kill"])
def test_what_it_splits_off_ends_with_it(platform: Platform, folder: Path, end: str) -> None:
    url = platform.deploy(folder, name="hostile").url
    call(url, "here", code=KEEPER)
    files = platform.home / "projects" / "hostile" / "files"
    wait_for((files / "kept").exists)
    assert running_in(files)
    before = running_in(files)
    if end == "redeploy":
        with (folder / "server.py").open("a") as file:
            file.write("# next\n")
        platform.deploy(folder, name="hostile")
        wait_for(lambda: not before & running_in(files))
    else:
        if end == "stop":
            platform.stop()
            assert not before & running_in(files)
        else:
            # The control plane is of its master's group.
            os.killpg(platform.run("platform", "status")["master"], signal.SIGKILL)
        wait_for(lambda: not before & running_in(files))
        platform.run("platform", "start")
    for _ in range(20):
        assert call(url, "here", code="answer = 'mine'") == "mine"


def test_a_program_it_left_fails_no_release(platform: Platform, folder: Path) -> None:
    """The program closes the connections that it takes from the new release."""
    url = platform.deploy(folder, name="hostile").url
    for number in range(3):
        call(url, "here", code=KEEPER.replace("connection.sendall(", "connection.close() #"))
        files = platform.home / "projects" / "hostile" / "files"
        wait_for((files / "kept").exists)
        before = running_in(files)
        with (folder / "server.py").open("a") as file:
            file.write(f"# {number}\n")
        platform.deploy(folder, name="hostile")
        wait_for(lambda: not before & running_in(files))  # noqa: B023 - called at once
        (files / "kept").unlink()


def test_it_reaches_no_process_but_its_own(platform: Platform, folder: Path) -> None:
    url = platform.deploy(folder, name="hostile").url
    control = platform.run("platform", "status")["pid"]
    assert call(url, "here", code=f"import os; os.kill({control}, 0)") == "refused: No such process"
    # It is called there what it is called in the log.
    assert int(call(url, "here", code="import os; answer = os.getpid()")) in workers(platform)
    seen = call(url, "here", code="import os; answer = sorted(int(n) for n in os.listdir('/proc') if n.isdigit())[0]")
    assert seen == "1"
    assert call(url, "here", code="open('/proc/1/mem', 'rb')") == "refused: Permission denied"
    call(url, "here", code="import os; os.kill(1, 9)")
    assert call(url, "here", code="answer = 'alive'") == "alive"


def test_it_gains_no_rights_and_no_io_uring(platform: Platform, folder: Path) -> None:
    url = platform.deploy(folder, name="hostile").url
    status = "answer = [line for line in open('/proc/self/status') if line.startswith('NoNewPrivs')][0].split()[1]"
    assert call(url, "here", code=status) == "1", "setuid programs such as sudo have no effect"
    # <asm/unistd.h>: 425 is io_uring_setup on every machine.
    setup = "import ctypes, os; ctypes.CDLL(None, use_errno=True).syscall(425, 8, 0); answer = ctypes.get_errno()"
    assert int(call(url, "here", code=setup)) == errno.ENOSYS


def test_nothing_listens_beyond_loopback(platform: Platform, folder: Path) -> None:
    require(Path("/proc/net/tcp").exists(), "Linux")
    call(platform.deploy(folder, name="hostile").url, "here", code="answer = 1")
    running = {control_plane(platform), master(platform), *workers(platform)}
    assert {host for pid in running for host in listening(pid)} == {"127.0.0.1"}


def test_a_crash_leaves_no_secrets(platform: Platform, folder: Path) -> None:
    url = platform.deploy(folder, name="hostile").url
    assert call(url, "here", code="import resource as r; answer = r.getrlimit(r.RLIMIT_CORE)") == "(1, 1)"
    with pytest.raises((OSError, http.client.HTTPException)):
        call(url, "here", code="import ctypes; ctypes.string_at(0)")
    assert not list((platform.home / "projects" / "hostile" / "files").glob("core*"))
    assert "SIGSEGV" in wait_for(lambda: platform.api.status("hostile")["last_error"])


def test_root_reaches_nothing_of_the_machine(platform: Platform, folder: Path) -> None:
    require(os.getuid() == 0, "root")
    url = platform.deploy(folder, name="hostile").url
    for path in ("/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper", "/sys/power/state"):
        if Path(path).exists():
            assert call(url, "here", code=f"open({path!r}, 'r+')") == "refused: Read-only file system"
    devices = call(
        url,
        "here",
        code="import glob, stat, os\nanswer = [d for d in glob.glob('/dev/*') if stat.S_ISBLK(os.stat(d).st_mode)]",
    )
    assert devices == "[]"
    assert "refused" in call(url, "here", code="import os, stat; os.mknod('disk', 0o600 | stat.S_IFBLK, 0x700)")
    assert call(url, "here", code="import pty; answer = len(pty.openpty())") == "2"


def listening(pid: int) -> set[str]:
    """Returns the addresses at which a process listens (proc_pid_net(5)), those of IPv6 as the kernel writes them."""
    held = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(str(descriptor.readlink()))
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, address, _, state, *rest = line.split()
            if state == LISTEN and f"socket:[{rest[5]}]" in held:
                host = bytes.fromhex(address.partition(":")[0])
                found.add(socket.inet_ntoa(host[::-1]) if table == "tcp" else host.hex())
    return found


def running_in(folder: Path) -> set[int]:
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if (process / "cwd").readlink() == folder:
                    found.add(int(process.name))
            except OSError:
                continue
    return found
