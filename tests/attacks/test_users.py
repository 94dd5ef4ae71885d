"""Tests servers of a root's platform that run as users of their own: what is root's, and what is a neighbour's, is
closed to them, and they serve as others do.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from platform_cli.supervisor.own_user import obstacle

from ..e2e.probing import call, call_on, connect, wait_for
from ..e2e.test_sessions import INITIALIZE, Client
from ..support import CommandFailedError, Platform, require, with_packages
from .test_confinement import SERVER

# Runs when the package is imported, in the process that all workers of the layer are forked from.
EVIL = """
import ctypes, os

SAID, PID = {}, os.getpid()


def attempt(what, work):
    try:
        SAID[what] = repr(work())
    except OSError as error:
        SAID[what] = f"refused: {error.strerror}"


attempt("shadow", lambda: open("/etc/shadow").read())
attempt("secret", lambda: open(SECRET).read())
attempt("write", lambda: open(OPEN_FOLDER + "/new", "w"))
attempt("root", lambda: os.setuid(0))
attempt("neighbour", lambda: os.setuid(NEIGHBOUR))
attempt("kernel", lambda: open("/proc/sys/kernel/core_pattern", "r+"))


def map_another():
    # In a user namespace of its own it may map no user but its own (user_namespaces(7)).
    ours, theirs = os.pipe()
    if os.fork() == 0:
        ctypes.CDLL(None).unshare(0x10000000)
        try:
            open("/proc/self/uid_map", "w").write(f"0 {NEIGHBOUR} 1")
        except OSError as error:
            os.write(theirs, error.strerror.encode())
        os._exit(0)
    os.close(theirs)
    said = os.read(ours, 100).decode()
    if said:
        raise OSError(0, said)


attempt("mapped", map_another)
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    require(os.getuid() == 0, "root")
    platform = Platform(with_packages(tmp_path_factory.mktemp("users") / "home"))
    require(obstacle(platform.home) is None, "a system on which root's processes may become other users")
    # The keyring of whoever runs the tests is left alone.
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    platform.run("platform", "start", "--isolate", "users")
    yield platform
    platform.stop()


def server(folder: Path, config: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "server.py").write_text(SERVER)
    (folder / "requirements.txt").write_text("mcp>=2\n")
    (folder / "fastmcp.toml").write_text(config)
    return folder


@pytest.fixture(scope="module")
def roots() -> Iterator[Path]:
    """Yields a folder that everybody sees, with a file that only root may read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secret").write_text("of root")
        (folder / "secret").chmod(0o600)
        yield folder


@pytest.fixture(scope="module")
def neighbour(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = server(tmp_path_factory.mktemp("sources") / "neighbour")
    return platform.deploy(folder, name="neighbour").url


@pytest.mark.parametrize("forked", [True, False])
def test_it_is_nobody_on_this_machine(platform: Platform, roots: Path, tmp_path: Path, forked: bool) -> None:
    config = f"[features]\ncold_start_optimization = {str(forked).lower()}\n"
    url = platform.deploy(server(tmp_path / "hostile", config), name="hostile").url
    user = platform.run("status", "hostile")["user"]
    assert call(url, "here", code="import os; answer = os.getresuid(), os.getresgid(), os.getgroups()") == str(
        ((user,) * 3, (user,) * 3, [])
    )
    held = "answer = {line.split()[1] for line in open('/proc/self/status') if line.startswith('Cap')}"
    assert call(url, "here", code=held) == str({"0" * 16})
    for path in ("/etc/shadow", roots / "secret"):
        assert call(url, "here", code=f"open({str(path)!r})") == "refused: Permission denied"
    for folder in ("/etc", "/etc/cron.d", "/usr/local/bin", roots):
        if Path(folder).is_dir():
            assert call(url, "here", code=f"open({str(folder)!r} + '/new', 'w')").startswith("refused")
    assert call(url, "here", code="import os; answer = os.listdir(os.path.expanduser('~root'))").count(".ssh") == 0
    for call_of_root in ("setuid(0)", "setgid(0)", "setgroups([0])", f"chown({str(roots / 'secret')!r}, {user}, 0)"):
        assert call(url, "here", code=f"import os; os.{call_of_root}").startswith("refused")
    assert "refused" in call(url, "here", code="import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)")
    platform.run("destroy", "hostile")


def test_what_is_a_neighbours_is_closed_to_it(platform: Platform, neighbour: str, tmp_path: Path) -> None:
    url = platform.deploy(server(tmp_path / "hostile"), name="hostile").url
    made = call(neighbour, "here", code="import tempfile; answer = tempfile.mkstemp()[1]")
    try:
        assert call(neighbour, "here", code=f"open({made!r}, 'w').write('hers')") == ""
        assert call(url, "here", code=f"open({made!r})") == "refused: Permission denied"
        assert call(url, "here", code=f"import os; os.unlink({made!r})").startswith("refused")
    finally:
        Path(made).unlink()
    assert platform.run("status", "hostile")["user"] != platform.run("status", "neighbour")["user"]
    platform.run("destroy", "hostile")


def test_packages_are_nobody_when_they_are_imported(
    platform: Platform, neighbour: str, roots: Path, tmp_path: Path
) -> None:
    folder = server(tmp_path / "hostile")
    user = platform.run("status", "neighbour")["user"]
    names = f"SECRET, OPEN_FOLDER, NEIGHBOUR = {str(roots / 'secret')!r}, {str(roots)!r}, {user}\n"
    platform.deploy(folder, name="hostile")
    (package,) = (platform.home / "layers").glob("*/mcp/__init__.py")
    source = package.read_text()
    replace(package, f"{names}{EVIL}\n{source}")
    try:
        # With another zygote.
        platform.run("platform", "stop")
        platform.run("platform", "start")
        code = "import json, mcp, os; answer = json.dumps([mcp.SAID, mcp.PID == os.getpid()])"
        said, own = json.loads(call(platform.run("status", "hostile")["url"], "here", code=code))
    finally:
        replace(package, source)
    assert not own, "it was imported before the worker was forked"
    assert {what: text for what, text in said.items() if not text.startswith("refused")} == {}
    platform.run("destroy", "hostile")


def replace(file: Path, text: str) -> None:
    """Writes a new file, since packages of tests are links to files that others have, too."""
    file.unlink()
    file.write_text(text)


def test_what_it_wrote_before_stays_its_own(platform: Platform, tmp_path: Path) -> None:
    """Those who switch lose nothing, in either direction, not even a connection."""
    platform.run("platform", "start", "--isolate", "namespaces")
    folder = server(tmp_path / "switched")
    (folder / "data.txt").write_text("1")
    url = platform.deploy(folder, name="switched").url
    write = "import os; os.mkdir('deep', 0o700); open('deep/own', 'w').write('written'); os.chmod('deep/own', 0o600)"
    add = "answer = open('deep/own', 'a').write('.') and open('deep/own').read()"
    with closing(connect(url)) as connection:
        assert call_on(connection, "here", code=write) == ""
        assert call_on(connection, "here", code="import os; answer = os.getuid()") == "0"
        before = set(platform.run("status", "switched")["processes"])
        platform.run("platform", "start", "--isolate", "users")
        user = platform.run("status", "switched")["user"]
        wait_for(lambda: not before & set(platform.api.status("switched")["processes"]))
        assert call_on(connection, "here", code="import os; answer = os.getuid()") == str(user)
        assert call_on(connection, "here", code=add) == "written."
        files = platform.home / "projects" / "switched" / "files"
        assert {path.stat().st_uid for path in (files, *files.rglob("*"))} == {user}
        # What the next release brings is its own, too, but not what it has changed itself.
        (folder / "data.txt").write_text("2")
        (folder / "new").mkdir()
        (folder / "new" / "data.txt").write_text("2")
        platform.deploy(folder, name="switched")
        change = "answer = [open(name, 'a').write('!') and open(name).read() for name in ('data.txt', 'new/data.txt')]"
        assert call_on(connection, "here", code=change) == str(["2!", "2!"])
        platform.run("rollback", "switched")
        assert call_on(connection, "here", code=add) == "written.."
    platform.run("platform", "start", "--isolate", "namespaces")
    assert call(url, "here", code="import os; answer = os.getuid()") == "0"
    assert call(url, "here", code=add) == "written..."
    platform.run("platform", "start", "--isolate", "users")
    assert call(url, "here", code=add) == "written...."
    platform.run("destroy", "switched")
    assert not files.parent.exists()
    # Whoever has the name next is somebody else.
    platform.deploy(folder, name="switched")
    assert platform.run("status", "switched")["user"] != user
    platform.run("destroy", "switched")


def test_it_serves_as_others_do(platform: Platform, tmp_path: Path) -> None:
    """Its sessions outlive a redeploy, it wakes from zero and after a kill, and its home is its own in all of it."""
    config = "[deployment]\nsessions = true\n[scaling]\nidle_s = 1\n"
    folder = server(tmp_path / "serving", config)
    (folder / "server.py").write_text("import os\nHOME = os.path.expanduser('~')\n" + SERVER)
    url = platform.deploy(folder, name="serving").url
    client = Client(url)
    client.post("initialize", INITIALIZE)
    client.post("notifications/initialized")

    def here(code: str) -> str:
        answer = client.post("tools/call", {"name": "here", "arguments": {"code": code}})
        return str(answer["result"]["content"][0]["text"])

    assert here("import os; open(os.path.expanduser('~/kept'), 'w').write('kept')") == ""
    kept = "import os; answer = open(os.path.expanduser('~/kept')).read(), os.environ['USER']"
    with (folder / "server.py").open("a") as file:
        file.write("# next\n")
    platform.deploy(folder, name="serving")
    assert here(kept) == str(("kept", "server"))
    killed = set(platform.run("status", "serving")["processes"])
    for worker in killed:
        # It may have gone to sleep.
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not killed & set(platform.api.status("serving")["processes"]))
    assert here(kept) == str(("kept", "server"))
    wait_for(lambda: platform.api.status("serving")["state"] == "idle")
    assert here(kept) == str(("kept", "server"))
    assert stat.S_IMODE((platform.home / "projects" / "serving" / "home").stat().st_mode) == 0o700
    platform.run("destroy", "serving")


def test_a_platform_that_strangers_reach_gives_users_by_itself(tmp_path: Path) -> None:
    require(os.getuid() == 0, "root")
    platform = Platform(tmp_path / "home")
    try:
        assert platform.run("platform", "start")["isolate"] == "namespaces"
        with pytest.raises(CommandFailedError):
            # No Caddy serves the name.
            platform.run("platform", "start", "--domain", "mcp.localhost:1")
        assert platform.run("platform", "status")["isolate"] == "users"
        assert platform.run("platform", "start", "--no-domain", "--isolate", "namespaces")["isolate"] == "namespaces"
    finally:
        platform.stop()
