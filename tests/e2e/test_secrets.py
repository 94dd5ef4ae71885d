"""Tests that a secret is in its worker's environment and nowhere else; a new value needs no build, and a rollback
undoes it.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from platform_cli.errors import ConfigError
from platform_cli.home import Home
from platform_cli.origin import Origin
from platform_cli.platform_client.client import PlatformClient
from tests.command_line import Command
from tests.support import Platform, with_packages

DEADLINE_S = 60
# A value that has another form in JSON, percent-encoded and in base64, so that each form has to be looked for.
VALUE = 'u9-Kq"7/+\\é vT3xW8zR2mB6'
FORMS = (
    VALUE.encode(),
    json.dumps(VALUE)[1:-1].encode(),
    json.dumps(VALUE, ensure_ascii=False)[1:-1].encode(),
    quote(VALUE, safe="").encode(),
    quote_plus(VALUE).encode(),
    *(base64.b64encode(b"x" * at + VALUE.encode())[4:-4] for at in range(3)),
    b"vT3xW8zR2mB6",
)

SERVER = """
import base64, hashlib, json, logging, os, subprocess, sys
from urllib.parse import quote
from mcp.server import MCPServer

URL = os.environ["DATABASE_URL"]
SECRET = URL.removeprefix("db://user:").removesuffix("@host")
mcp = MCPServer("leaky", instructions=f"connects to {URL}")
print("imported with", SECRET)
if os.environ.get("REFUSED") == SECRET:
    raise ValueError(f"cannot connect to {URL}")

@mcp.tool(description=f"Uses {URL}")
def leak(url: str = URL) -> str:
    print("printed", SECRET, repr(SECRET), json.dumps(URL))
    print("in two ", end=""); print(SECRET[:5], end=""); print(SECRET[5:])
    logging.getLogger("leaky").error("logged %s", base64.b64encode(f"user:{SECRET}".encode()).decode())
    os.write(1, f"raw {SECRET}".encode()[:9]); os.write(1, f"raw {SECRET}\\n".encode()[9:])
    child = "import os, sys; sys.stderr.write('child ' + os.environ['DATABASE_URL'] + chr(10))"
    subprocess.run([sys.executable, "-c", child])
    print("quoted", quote(SECRET, safe=""), "end")
    try:
        raise RuntimeError(f"failed with {URL}")
    except RuntimeError:
        logging.getLogger("leaky").exception("a traceback")
    print("x" * 70000 + SECRET)
    print("all leaked")
    return "leaked"

@mcp.tool()
def digest() -> str:
    return f"{os.getpid()} {hashlib.sha256(SECRET.encode()).hexdigest()}"
"""
CONFIG = """
[project]
name = "leaky"
[environment]
DATABASE_URL = "db://user:${secrets.DB_PASSWORD}@host"
REFUSED = "refused-value"
"""


class Printed:
    """Is the command line, with everything that it ever printed."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self._platform = platform
        self._folder = folder
        self.all = b""

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        done = Command(arguments, cwd=self._folder, env=self._platform.environment, stdin=stdin).wait(300)
        printed = done.stdout + done.stderr
        self.all += printed.encode()
        assert done.returncode == code, printed
        return printed

    def json(self, *arguments: str, stdin: str = "", code: int = 0) -> Any:
        lines = self.run(*arguments, "--json", stdin=stdin, code=code).splitlines()
        return json.loads(next(line for line in lines if line.startswith("{")))

    def digest(self) -> str:
        return self.run("call", "leaky", "digest").split()[-1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "leaky"
    folder.mkdir()
    (folder / "server.py").write_text(SERVER)
    (folder / "fastmcp.toml").write_text(CONFIG)
    return folder


@pytest.fixture
def cli(home: Path, project: Path) -> Iterator[Printed]:
    """Returns the command line, and leaves the keyring of whoever runs the tests alone."""
    platform = Platform(with_packages(home))
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    yield Printed(platform, project)
    platform.stop()


def sha(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def wait_for(found: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (result := found()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)
    return result


def test_it_is_nowhere_but_in_its_worker(cli: Printed, home: Path) -> None:
    cli.run("set-secret", "DB_PASSWORD", "-", stdin=f"{VALUE}\n")
    cli.run("deploy")
    assert cli.digest() == sha(VALUE)
    assert "leaked" in cli.run("call", "leaky", "leak")
    text = wait_for(lambda: (t := cli.run("logs", "leaky")) and "all leaked" in t and t, "the end of the leak")
    url = "db://user:[secret DB_PASSWORD]@host"
    for line in ("imported with", "printed", "in two", "raw", "quoted"):
        assert f"{line} [secret DB_PASSWORD]" in text, line
    for line in (f"child {url}", f"failed with {url}", "x[secret DB_PASSWORD]"):
        assert line in text
    assert re.search(r"logged \S{7}\[secret DB_PASSWORD]", text)
    for command in (("list",), ("status", "leaky"), ("versions", "leaky"), ("list-secrets",), ("logs", "leaky")):
        cli.run(*command)
        cli.run(*command, "--json")
    cli.run("deploy", "--dry-run", "--json")
    cli.run("deploy", "--json")
    _nowhere(home, cli)
    for path in ("", "/releases", "/secrets", "/logs"):
        _absent(_get(home, f"/v1/projects/leaky{path}"), path)
    cli.run("platform", "stop")
    _nowhere(home, cli)


def _nowhere(home: Path, cli: Printed) -> None:
    _absent(cli.all, "what commands printed")
    files = [file for file in home.rglob("*") if file.is_file()]
    assert {"secrets.db", "store.db"} <= {file.name for file in files}
    for file in files:
        _absent(file.read_bytes(), str(file))
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                content = (process / name).read_bytes()
            except OSError:
                continue
            _absent(content, f"{process / name}")


def _absent(content: bytes, where: str) -> None:
    for form in FORMS:
        assert form not in content, (
            f"the secret is in {where}: ...{content[max(content.find(form) - 200, 0) :][:300]!r}"
        )


def _get(home: Path, path: str) -> bytes:
    connection = http.client.HTTPConnection("localhost", timeout=DEADLINE_S)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(str(Home(home).socket))
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200
        return response.read()
    finally:
        connection.close()


def test_a_new_value_needs_no_build_and_a_rollback_brings_the_old_one(cli: Printed) -> None:
    cli.run("set-secret", "DB_PASSWORD", "first-value")
    first = cli.json("deploy")
    assert cli.digest() == sha("first-value")
    answer = cli.json("set-secret", "DB_PASSWORD", "second-value")
    assert (answer["changed"], answer["release"]) == (["DB_PASSWORD"], "v2")
    assert cli.digest() == sha("second-value")
    again = cli.json("set-secret", "DB_PASSWORD", "second-value")
    assert (again["changed"], again["release"]) == ([], None)
    versions = cli.json("versions", "leaky")["versions"]
    assert [(v["release"], v["reason"], v["secrets"]) for v in versions] == [
        ("v2", "secret DB_PASSWORD", {"DB_PASSWORD": 2}),
        ("v1", "deploy", {"DB_PASSWORD": 1}),
    ]
    assert len({v["bundle"] for v in versions}) == 1
    assert cli.json("deploy")["changed"] is False
    assert cli.json("rollback", "leaky")["url"] == first["url"]
    assert cli.digest() == sha("first-value")
    secrets = cli.json("list-secrets")["secrets"]
    assert [(s["name"], s["version"]) for s in secrets] == [("DB_PASSWORD", 2)]
    assert [(v["version"], v["releases"]) for v in secrets[0]["versions"]] == [(1, ["v1"]), (2, ["v2"])]
    # The bundle is the same, the secret that a new release gets is not.
    assert [step["action"] for step in cli.json("deploy", "--dry-run")["plan"]] == ["start", "switch", "drain"]
    assert cli.json("deploy")["release"] == "v3"
    assert cli.digest() == sha("second-value")


def test_a_value_that_the_server_refuses(cli: Printed) -> None:
    cli.run("set-secret", "DB_PASSWORD", "first-value")
    cli.run("deploy")
    error = cli.json("set-secret", "DB_PASSWORD", "refused-value", code=1)["error"]
    assert error["category"] == "release"
    assert "DB_PASSWORD is stored, but v1 of leaky keeps serving" in error["message"]
    assert "cannot connect to db://user:[secret DB_PASSWORD]@host" in error["message"]
    assert cli.digest() == sha("first-value")
    assert cli.json("status", "leaky")["outdated_secrets"] == ["DB_PASSWORD"]
    assert "refused-value" not in json.dumps(cli.json("versions", "leaky"))
    assert cli.json("set-secret", "DB_PASSWORD", "third-value")["release"] == "v3"
    assert cli.digest() == sha("third-value")


def test_a_secret_that_is_not_set(cli: Printed, project: Path) -> None:
    error = cli.json("deploy", code=2)["error"]
    assert error == {
        "category": "config",
        "message": "fastmcp.toml: DATABASE_URL needs the secret DB_PASSWORD, which is not set in leaky",
        "hint": "homeport set-secret DB_PASSWORD --project leaky",
    }
    assert cli.json("list")["projects"] == []
    cli.run("set-secret", "DB_PASSWORD", "first-value")
    cli.run("deploy")
    unset = cli.json("unset-secret", "DB_PASSWORD")
    assert (unset["name"], unset["in_use"]) == ("DB_PASSWORD", "v1")
    assert cli.json("deploy", code=2)["error"]["category"] == "config"
    assert cli.digest() == sha("first-value")
    (project / "fastmcp.toml").write_text(CONFIG.replace('name = "leaky"', ""))
    assert "secrets belong to a project" not in cli.run("deploy", "--name", "other", code=2)
    cli.run("destroy", "leaky")
    assert "has no name yet" in cli.json("deploy", code=2)["error"]["message"]
    assert cli.json("list-secrets", "--project", "leaky")["secrets"] == []


def test_a_restart_and_a_key_that_is_gone(cli: Printed, home: Path) -> None:
    cli.run("set-secret", "DB_PASSWORD", "first-value")
    cli.run("deploy")
    os.kill(cli.json("platform", "status")["pid"], signal.SIGKILL)
    cli.run("platform", "start")
    assert cli.digest() == sha("first-value")
    cli.run("platform", "stop")
    kept = (home / "secrets.key").read_bytes()
    (home / "secrets.key").unlink()
    cli.run("platform", "start")
    error = cli.json("set-secret", "DB_PASSWORD", "second-value", code=1)["error"]
    assert error["message"] == "the key of all secrets is gone"
    assert "secrets.key" in error["hint"]
    with socket.create_connection(("127.0.0.1", int(cli.json("status", "leaky")["url"].rpartition(":")[2]))):
        api = PlatformClient(Home(home))
        wait_for(lambda: api.status("leaky")["last_error"] == "the key of all secrets is gone", "last error")
        (home / "secrets.key").write_bytes(kept)
        (home / "secrets.key").chmod(0o600)
    assert cli.digest() == sha("first-value")


def test_the_platform_refuses_what_the_command_line_did_not(home: Path, cli: Printed, project: Path) -> None:
    """It may be another command line, or a secret that was unset in between."""
    cli.run("set-secret", "DB_PASSWORD", "first-value")
    cli.run("deploy")
    bundle = next(path.name for path in (home / "bundles").iterdir() if not path.name.startswith("."))
    with pytest.raises(ConfigError, match="needs the secret DB_PASSWORD, which is not set in fresh"):
        PlatformClient(Home(home)).deploy("fresh", bundle, str(project), Origin())
    assert [p["project"] for p in cli.json("list")["projects"]] == ["leaky"]
