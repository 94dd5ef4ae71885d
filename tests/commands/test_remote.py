"""Tests `homeport --platform URL`: another home, a token, and everything else as on the platform's own machine."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.command_line import Command
from tests.commands.conftest import PROJECT, Done, Run, environment, error_of
from tests.commands.test_logs import records
from tests.platform_client.test_upload import HOSTILE, REGULAR, archive_of
from tests.support import ROOT, SERVERS, Deployment, Platform

SERVER = SERVERS / "mcp2_lowlevel"


@pytest.fixture(scope="session")
def url(platform: Platform, tiny: Deployment) -> str:
    address: str = platform.run("platform", "status")["api_url"]
    return address


@pytest.fixture
def token(platform: Platform, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"t{abs(hash(request.node.name))}"
    yield platform.run("platform", "token", "create", name)["token"]
    platform.run("platform", "token", "revoke", name)


@pytest.fixture
def remote(run: Run, url: str, token: str, tmp_path: Path) -> Run:
    """Returns `run` for a machine of its own, with the platform's address and token."""
    home = {"HOMEPORT_HOME": str(tmp_path / "laptop"), "HOMEPORT_TOKEN": token}

    def run_there(*arguments: str, cwd: Path = ROOT) -> Done:
        done = run("--platform", url, *arguments, cwd=cwd, env=home)
        assert not (tmp_path / "laptop" / "platform.sock").exists(), "no platform of its own is started"
        return done

    return run_there


def test_everyday_commands(remote: Run, run: Run, tiny: Deployment) -> None:
    for arguments in (["list"], ["status", PROJECT], ["versions", PROJECT], ["tools", PROJECT]):
        there, here = remote(*arguments, "--json"), run(*arguments, "--json")
        assert there.json == here.json, arguments
    assert remote("call", PROJECT, "add", "a=2", "b=3").stdout == "5\n"
    assert records(remote, "--grep", "tools/call add")[-1]["call"]["tool"] == "add"
    assert "tools/call add" in remote("logs", PROJECT).stdout
    assert remote("connect", PROJECT, "--client", "cursor", "--json").json["config"]["mcpServers"][PROJECT]
    assert error_of(remote("status", "nobody", "--json"))[:2] == (4, "not-found")


def test_deploy_rollback_destroy(remote: Run, tmp_path: Path) -> None:
    project = shutil.copytree(SERVER, tmp_path / "project")
    first = remote("deploy", "--name", "far", "--env", "GREETING=hi", "--json", cwd=project)
    stages = [stage["name"] for stage in first.json["stages"]]
    assert stages == ["read", "upload", "lock", "layer", "inspect", "bundle", "plan", "apply"]
    assert all(f"  {name}" in first.stderr for name in stages)
    assert (first.json["release"], first.json["changed"]) == ("v1", True)
    assert remote("call", "far", "whoami").stdout.split()[1] == "hi"

    again = remote("deploy", "server.py", "--name", "far", "--env", "GREETING=hi", "--json", cwd=project)
    assert (again.json["release"], again.json["changed"]) == ("v1", False)
    plan = remote("deploy", "--name", "far", "--dry-run", "--json", cwd=project).json
    assert [step["action"] for step in plan["plan"]] == ["start", "switch", "drain"]

    second = remote("deploy", "--name", "far", "--json", cwd=project)
    assert (second.json["release"], second.json["url"]) == ("v2", first.json["url"])
    assert remote("rollback", "far").stdout.startswith("far serves v1")
    assert remote("destroy", "far", "--json").json["destroyed"] is True
    assert error_of(remote("status", "far", "--json"))[:2] == (4, "not-found")


def test_no_one_takes_a_project_over_by_its_folders_name(remote: Run, tmp_path: Path) -> None:
    one, two = (shutil.copytree(SERVER, tmp_path / place / "same") for place in ("a", "b"))
    name = remote("deploy", str(one), "--json").json["project"]
    try:
        assert remote("deploy", str(one), "--json").json["changed"] is False
        code, category, message, _ = error_of(remote("deploy", str(two), "--json"))
        assert (code, category) == (2, "input")
        assert str(one) in message
    finally:
        remote("destroy", name)


def test_what_is_ignored_stays_here(remote: Run, platform: Platform, tmp_path: Path) -> None:
    project = shutil.copytree(SERVER, tmp_path / "project")
    (project / ".gitignore").write_text("private.txt\nrequirements.txt\n")
    (project / "private.txt").write_text("for nobody")
    assert remote("deploy", "--name", "ignoring", cwd=project).code == 0
    bundle = remote("status", "ignoring", "--json").json["bundle"]
    manifest = json.loads((platform.home / "bundles" / bundle / "manifest.json").read_bytes())
    # requirements.txt is read there as it is here, and left out of the app there as here.
    assert set(manifest["files"]) == {"server.py", ".gitignore"}
    remote("destroy", "ignoring")


def test_a_failing_build_says_why(remote: Run, tmp_path: Path) -> None:
    project = shutil.copytree(SERVER, tmp_path / "project")
    with (project / "server.py").open("a") as file:
        file.write("\nraise ValueError('not today')\n")
    code, category, message, _ = error_of(remote("deploy", "--name", "broken", "--json", cwd=project))
    assert (code, category) == (1, "inspect")
    assert "not today" in message
    (project / "requirements.txt").write_text("no-such-package-at-all-1234\n")
    assert error_of(remote("deploy", "--name", "broken", "--json", cwd=project))[:2] == (1, "lock")
    (project / "fastmcp.toml").write_text("[project]\nnam = 'x'\n")
    assert error_of(remote("deploy", "--json", cwd=project))[:2] == (2, "config")
    assert remote("status", "broken").code == 4


def test_wrong_and_revoked_tokens(run: Run, url: str, platform: Platform, tiny: Deployment, tmp_path: Path) -> None:
    def listed(token: str | None) -> Done:
        env = {"HOMEPORT_HOME": str(tmp_path / "laptop"), "HOMEPORT_PLATFORM": url}
        return run("list", "--json", env=env | ({"HOMEPORT_TOKEN": token} if token else {}))

    good = platform.run("platform", "token", "create", "short-lived")["token"]
    assert listed(good).code == 0
    assert error_of(listed(None))[:2] == (2, "input")
    for token in (good[:-1], f"{good}x", "homeport_", "x"):
        code, category, message, hint = error_of(listed(token))
        assert (code, category) == (1, "platform")
        assert "token" in message
        assert token not in message + hint
    platform.run("platform", "token", "revoke", "short-lived")
    assert error_of(listed(good))[:2] == (1, "platform")


def test_login_keeps_the_token(run: Run, url: str, token: str, platform: Platform, tmp_path: Path) -> None:
    home = tmp_path / "laptop"
    env = {**environment(platform, tmp_path), "HOMEPORT_HOME": str(home)}

    def login(typed: str) -> int:
        return Command(["platform", "login", url], cwd=ROOT, env=env, stdin=typed).wait(120).returncode

    assert login("wrong\n") == 1
    assert login("\n") == 2
    assert not (home / "credentials.json").exists()
    assert login(f"{token}\n") == 0
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600
    assert run("--platform", url, "list", env={"HOMEPORT_HOME": str(home)}).code == 0


def test_what_belongs_to_the_machine_itself(remote: Run) -> None:
    for command in (["start"], ["stop"], ["token", "list"], ["token", "create", "x"], ["token", "revoke", "x"]):
        assert error_of(remote("platform", *command, "--json"))[:2] == (2, "input"), command
    assert remote("platform", "status", "--json").json["running"] is True


def ask(
    url: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


def test_without_a_token_all_is_the_same(url: str, tiny: Deployment) -> None:
    asked = [
        ("GET", "/v1/platform"), ("GET", "/v1/projects"), ("GET", f"/v1/projects/{PROJECT}"), ("GET", "/none"),
        ("POST", "/v1/platform/stop"), ("POST", "/v1/builds"), ("DELETE", f"/v1/projects/{PROJECT}"), ("GET", "/"),
        ("GET", "/openapi.json"), ("OPTIONS", "/v1/projects"),
    ]  # fmt: skip
    answers = [ask(url, method, path) for method, path in asked]
    assert {status for status, _, _ in answers} == {401}
    assert len({body for _, _, body in answers}) == 1
    for _, headers, _ in answers:
        assert headers["www-authenticate"].startswith("Bearer")
        assert "server" not in headers
    assert ask(url, "GET", "/v1/projects", Authorization="Basic eDp5")[0] == 401
    assert ask(url, "GET", "/v1/projects", Host="evil.example.com")[0] == 421


def test_a_token_does_not_reach_the_machine(url: str, token: str) -> None:
    for method, path in (
        ("POST", "/v1/platform/stop"), ("POST", "/v1/inspections"), ("GET", "/v1/tokens"), ("POST", "/v1/tokens"),
        ("PUT", "/v1/domain"), ("POST", "/v1/edge"), ("GET", "/v1/projectsx"),
    ):  # fmt: skip
        assert ask(url, method, path, Authorization=f"Bearer {token}")[0] == 403, path
    assert ask(url, "GET", "/v1/projects/../tokens", Authorization=f"Bearer {token}")[0] == 404
    assert ask(url, "GET", "/v1/platform", Authorization=f"bearer {token}")[0] == 200


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_uploads(url: str, token: str, platform: Platform) -> None:
    before = {path.name for path in (platform.home / "bundles").iterdir()}
    for archive in (io.BytesIO(b""), io.BytesIO(b"PK"), *(archive_of((name, b"x", REGULAR)) for name in HOSTILE)):
        status, _, body = ask(url, "POST", "/v1/builds", archive.getvalue(), Authorization=f"Bearer {token}")
        *_, last = map(json.loads, body.splitlines())
        assert (status, last["event"], last["category"]) == (200, "error", "input")
    assert {path.name for path in (platform.home / "bundles").iterdir()} == before


def test_too_much_is_refused_while_it_comes(url: str, token: str) -> None:
    parts = urlsplit(url)
    piece, sent = bytes(1_000_000), 0
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection:
        connection.putrequest("POST", "/v1/builds")
        connection.putheader("Authorization", f"Bearer {token}")
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders()
        with suppress(OSError):
            while sent < 300:
                connection.send(piece)
                sent += 1
    assert 100 <= sent < 300
